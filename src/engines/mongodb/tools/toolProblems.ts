import type { ErrorCode, StowageErrorOptions } from '../../../errors.js';
import type { OnLine } from '../../process/lastLines.js';
import { wayOut } from '../errors/serverErrors.js';

/** A line in which a tool reports why it failed, without secrets and data. */
export type ToolProblem = { readonly line: string; readonly code: ErrorCode } & Pick<
  StowageErrorOptions,
  'help' | 'retriable'
>;

/** Collects the first lines in which a tool reports an error. */
export function toolProblems(): { readonly onLine: OnLine; readonly found: readonly ToolProblem[] } {
  const found: ToolProblem[] = [];
  return {
    found,
    onLine: (line, unredacted) => {
      const plain = unredacted.reveal();
      if (found.length < 10 && /^Failed:|error|fail|panic|corrupt/i.test(plain))
        found.push({ line, ...meaningOf(plain) });
    },
  };
}

function meaningOf(line: string): Pick<ToolProblem, 'code' | 'help' | 'retriable'> {
  return meanings.find(([shape]) => shape.test(line))?.[1] ?? { code: 'TOOL_FAILED' };
}

/** The tools print words instead of error numbers. */
const meanings: readonly (readonly [RegExp, Pick<ToolProblem, 'code' | 'help' | 'retriable'>])[] = [
  [/AuthenticationFailed|unable to authenticate|auth error/i, { code: 'SERVICE_AUTH', ...wayOut(18) }],
  [
    /not authorized|\(Unauthorized\)|requires authentication/i,
    {
      code: 'SERVICE_PRIVILEGE',
      help: 'Check the service: the step PRIVILEGES prints the command that gives the user its rights.',
    },
  ],
  [
    /server selection error|connection refused|no reachable servers|connection .*(?:closed|reset)|socket was unexpectedly closed|incomplete read of message header|\bEOF\b|i\/o timeout/i,
    { code: 'SERVICE_UNREACHABLE', help: 'Read the log of the server at that time: it may have been restarted.' },
  ],
  [
    /oplog overflow/i,
    {
      code: 'TOOL_FAILED',
      help: 'The oplog is too small for the time of the backup. Enlarge it (replSetResizeOplog), or back up when less is written. The backup is tried again.',
      retriable: true,
    },
  ],
  [
    /upgradeDowngradeViewlessTimeseries|collMod|renameCollection|resharding/i,
    {
      code: 'TOOL_FAILED',
      help: 'The definition of a collection changed during the backup. The oplog of the backup cannot replay this change. The backup is tried again.',
      retriable: true,
    },
  ],
  [
    /CappedPositionLost|cursor .*not found|CursorNotFound|QueryPlanKilled/i,
    {
      code: 'TOOL_FAILED',
      help: 'A collection was dropped, renamed or overwritten while it was dumped, or the member was restarted. The backup is tried again.',
      retriable: true,
    },
  ],
  [/DocumentValidationFailure/i, { code: 'TOOL_FAILED', ...wayOut(121) }],
  [/E11000|duplicate key/i, { code: 'TOOL_FAILED', ...wayOut(11000) }],
  [
    /no space left|OutOfDiskSpace|disk full/i,
    { code: 'TOOL_FAILED', help: 'Free space on the disk of the database server, then try again.' },
  ],
];
