import { withoutQuoted } from '../../../withoutValues.js';
import type { OutputFilter } from '../../process/outputFilter.js';
import { statementHead } from '../../process/statementHead.js';
import { toolSentence } from '../errors/serverSentence.js';

/**
 * Removes values from the output of PostgreSQL's tools. A message begins with the name of the tool. Its further lines may
 * hold the failed statement or a row, so only their known beginnings are kept.
 */
export function postgresqlOutput(): OutputFilter {
  return { take: (line) => shown(line), end: () => [] };
}

function shown(line: string): readonly string[] {
  const [, tool, rest = ''] = /^(?:\S*\/)?(pg_\w+): (.*)$/s.exec(line) ?? [];
  if (tool !== undefined) return isProgress.test(rest) ? [] : [`${tool}: ${messageOf(rest)}`];
  const [, context] = /^CONTEXT:\s+(COPY [^,\n]+, line \d+)/.exec(line) ?? [];
  if (context !== undefined) return [`CONTEXT: ${context}`];
  const [, command] = /^Command was: (.*)$/.exec(line) ?? [];
  if (command !== undefined) return [`Command was: ${statementHead(command) ?? 'not shown'}`];
  const [, hint] = /^HINT:\s+(.*)$/.exec(line) ?? [];
  return hint === undefined ? [] : [`HINT: ${withoutQuoted(hint)}`];
}

/** What `--verbose` prints of each object. */
const isProgress =
  /^(?:creating|processing|processed|connecting|connected|executing|executed|finished|launching|entering|dropping|disabling|enabling|restoring|restored|skipping|setting owner|implied|sorting|reading|identifying|finding|flagging|saving|dumping|last built-in)\b/;

/** A message of a tool. Names of objects stay, and the server's own sentence is cut where a value may begin. */
function messageOf(text: string): string {
  // The word for the severity may be of another language. Two spaces follow it in every one.
  const [, before = '', sentence] = /^(.*?\S+: {2})(.*)$/.exec(text) ?? [];
  if (sentence !== undefined) return `${withoutQuotedText(before)}${toolSentence(sentence)}`;
  if (toolsOwn.test(text)) return text;
  return toolSentence(text);
}

function withoutQuotedText(text: string): string {
  return /while |connection to server|failed|could not/.test(text) ? text : withoutQuoted(text);
}

/** Messages of the tools about objects and archives, with names only. */
const toolsOwn =
  /^(?:from TOC entry |while (?:PROCESSING|INITIALIZING|FINALIZING)|(?:warning|error): (?:errors ignored|could not (?:find|open|read|write|execute)|unsupported version|aborting|no matching|input file|did not find|query failed|there are circular|owner of|out of|server version|connection to|terminated|subscriptions not dumped|publication|unexpected|invalid)[^'\n]*$|error: Dumping the contents of table "(?:[^"\n]|"")*" failed: PQget(?:CopyData|Result)\(\) failed\.$|error: error returned by PQputCopy(?:Data|End): (?:server closed the connection unexpectedly|no COPY in progress|could not (?:send data to|receive data from) server|SSL (?:SYSCALL error|connection has been closed unexpectedly))|(?:detail|hint): )/;
