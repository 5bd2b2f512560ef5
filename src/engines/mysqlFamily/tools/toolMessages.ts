import { leftOut, withoutQuoted } from '../../../withoutValues.js';
import { plainLine, type OutputFilter } from '../../process/outputFilter.js';
import { statementHead } from '../../process/statementHead.js';
import { serverSentence } from '../errors/serverSentences.js';

/**
 * The most characters of one message that are buffered. One message may have many lines, because a value in it may have
 * line breaks.
 */
const mostBufferedCharacters = 16_384;

/**
 * Removes values from the output of the tools of MariaDB and MySQL. The client prints the failed statement between lines
 * of dashes, and then the error. Only the kind and the table of the statement are kept. A sentence of the server may
 * contain line breaks inside a value, so it is held until the next message begins.
 * @param ours values that we sent ourselves; they are kept
 */
export function toolMessages(ours: readonly string[] = []): OutputFilter {
  let held: string | undefined;
  let inStatement: 'BEGUN' | 'KNOWN' | undefined;
  const release = (): readonly string[] => {
    const message = held;
    held = undefined;
    return message === undefined ? [] : [withoutData(message, ours)];
  };
  return {
    take(line) {
      if (/^-{10,}$/.test(line) && inStatement === undefined) {
        inStatement = 'BEGUN';
        return release();
      }
      if (beginsMessage(line) && (inStatement === undefined || isServerError(line))) {
        inStatement = undefined;
        const before = release();
        held = line;
        return before;
      }
      if (inStatement !== undefined) {
        const head = inStatement === 'BEGUN' ? `Failed statement: ${statementHead(line) ?? 'not shown'}` : undefined;
        inStatement = 'KNOWN';
        return head === undefined ? [] : [head];
      }
      if (held === undefined) return line === '' ? [] : [plainLine(line)];
      if (held.length < mostBufferedCharacters) held = `${held}\n${line}`;
      return [];
    },
    end: release,
  };
}

function beginsMessage(line: string): boolean {
  return (
    isServerError(line) || /^(?:\S*\/)?(?:mariadb|mysql)[\w.-]*: |^(?:-- )?(?:Warning|Note|Info|Error)\b/i.test(line)
  );
}

function isServerError(line: string): boolean {
  return /^ERROR \d+ \(\w{5}\)/.test(line);
}

/** One message, of one or more lines, in each of the formats in which the tools print a server's error. */
function withoutData(message: string, ours: readonly string[]): string {
  for (const shape of shapes) {
    const groups = shape.exec(message)?.groups;
    if (groups === undefined) continue;
    const { number, state, text = '' } = groups;
    const sentence = serverSentence({ number: Number(number), sqlState: state, text }, ours);
    return `${groups['before'] ?? ''}${sentence}${groups['after'] ?? ''}`;
  }
  if (harmless.test(message)) return message;
  const [first = ''] = message.split('\n');
  return message === first ? withoutQuoted(first) : `${withoutQuoted(first)} ${leftOut}`;
}

const shapes = [
  // ERROR 1062 (23000) at line 7: Duplicate entry 'x' for key 'k'
  /^(?<before>ERROR (?<number>\d+) \((?<state>\w{5})\)(?: at line \d+)?(?: in file: '[^\n]*?')?: )(?<text>.*)$/s,
  // mariadb-dump: Got error: 1045: "Access denied …" when trying to connect
  /^(?<before>\S+: Got error: (?<number>\d+): "?)(?<text>.*?)(?<after>"? when (?:trying to connect|using LOCK TABLES|doing refresh|executing '.*'))$/s,
  // mariadb-dump: Couldn't execute 'SHOW CREATE VIEW `v`': View 'v' references … (1356)
  /^(?<before>\S+: Couldn't execute '[^\n]*?': )(?<text>.*)(?<after> \((?<number>\d+)\))$/s,
  // mariadb-dump: Error 2013: Lost connection … when dumping table `t` at row: 17
  /^(?<before>\S+: Error (?<number>\d+): )(?<text>.*?)(?<after> when dumping table (?:`[^\n]*`) at row: \d+)?$/s,
];

/** Messages of the tools about themselves, their options and files. They contain no data. */
const harmless =
  /^\S+: (?:unknown (?:option|variable)|ambiguous option|option |error while loading shared libraries|Can't (?:create|open|get|read)|Couldn't find table|Unknown suffix|Character set)[^\n]*$|^(?:-- )?(?:Warning|Note|Info): [^\n]*unknown (?:option|variable)[^\n]*$/i;
