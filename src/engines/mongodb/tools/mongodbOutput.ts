import { withoutDocuments } from '../errors/withoutDocuments.js';
import type { OutputFilter } from '../../process/outputFilter.js';

/**
 * Keeps the lines of mongodump and mongorestore that report a problem, without documents and values. Their other lines
 * report progress, and `index: …` repeats definitions. A line that belongs to no message is a part of a value with a line
 * break.
 */
export function mongodbOutput(): OutputFilter {
  return {
    take(line) {
      const message = messageIn(line);
      return message !== undefined && isProblem(message) ? [withoutDocuments(message)] : [];
    },
    end: () => [],
  };
}

/** The text after the time stamp. Undefined: the line begins no message. */
function messageIn(line: string): string | undefined {
  return (
    /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d{4}\t\s*(.*)$/s.exec(line)?.[1] ??
    /^(?:error|panic|fatal)\b.*$/is.exec(line)?.[0]
  );
}

/** Exported for tests. */
export function isProblem(message: string): boolean {
  return !harmless.some((shape) => shape.test(message));
}

const harmless = [
  /^(?:writing|done dumping|dumping up to|dumped) /,
  /^(?:preparing collections|building a list|reading metadata|restoring|finished restoring|no indexes to restore|index:) /,
  /^(?:setting number of parallel collections|options for collection|replaying oplog|applied \d+ oplog|oplog restore|skipping applying) ?/,
  /^\d+ document\(s\) restored successfully\. 0 document\(s\) failed/,
  /^(?:\[[#.]*\]|\[?[.#]+\]?)\s/,
  /^\s*$/,
  /^Mux (?:open|close|finish)|^demux /,
  // The target's release may differ, which the preflight reports in its own words.
  /^WARNING: This archive came from MongoDB/,
  /^excluding MongoDB internal database/,
  // mongorestore prints this for each database of an archive with an oplog, and restores the database.
  /^don't know what to do with subdirectory/,
];
