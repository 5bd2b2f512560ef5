import { createMariadbEngine } from '../../../src/engines/mariadb/mariadbEngine.js';
import { faultyTool } from '../../fixtures/faultyTools.js';
import { backupFault, type Expected } from '../backupTrial.js';
import type { Fault } from '../trial.js';

const signals = ['HUP', 'INT', 'QUIT', 'ILL', 'ABRT', 'BUS', 'FPE', 'KILL', 'SEGV', 'PIPE', 'ALRM', 'TERM', 'XCPU'];
const megabytes = [1, 2, 3, 4, 5, 6, 7, 8, 9];
const inTheMiddle = '"$real" "$@" | head -c 4000000';
const failed: Expected = ['TOOL_FAILED'];

/** Dump tools and compressors that fail, report a false success, or hang. */
export const dumpTools: readonly Fault[] = [
  ...[1, 2, 3, 5, 6, 11, 64, 126, 127, 137, 255].flatMap((code) => [
    dump(`exit ${code} at once`, `echo 'mariadb-dump: no' >&2; exit ${code}`, failed, /mariadb-dump: no/),
    dump(`exit ${code} in the middle`, `${inTheMiddle}; exit ${code}`, failed),
    dump(`exit ${code} after a whole dump`, `"$real" "$@"; echo 'so sorry' >&2; exit ${code}`, failed, /so sorry/),
  ]),
  ...signals.flatMap((signal) => [
    dump(`SIG${signal} at once`, `kill -${signal} $$; sleep 1000`, failed),
    dump(`SIG${signal} in the middle`, `${inTheMiddle}; kill -${signal} $$; sleep 1000`, failed),
  ]),
  ...megabytes.map((mb) =>
    dump(`cut short after ${mb} MB, exit 0`, `"$real" "$@" | head -c ${mb}000000; exit 0`, ['INCOMPLETE_DUMP']),
  ),
  ...[
    'Got error: 2013: "Lost connection to server during query" when dumping table `noise` at row: 17',
    "Couldn't execute 'SHOW CREATE TABLE `shop`.`words`': Table 'shop.words' doesn't exist in engine (1932)",
    "Got error: 1045: \"Access denied for user 'stowage'@'localhost'\" when trying to connect",
    'Error 3024: Query execution was interrupted, maximum statement execution time exceeded',
  ].flatMap((error, index) => [
    dump(
      `error ${index + 1} after a whole dump, exit 0`,
      `"$real" "$@"; cat >&2 <<'X'\nmariadb-dump: ${error}\nX`,
      ['TOOL_FAILED', 'SERVICE_AUTH', 'SERVICE_UNREACHABLE'],
      /mariadb-dump: /,
    ),
    dump(
      `error ${index + 1} and half a dump, exit 0`,
      `${inTheMiddle}; cat >&2 <<'X'\nmariadb-dump: ${error}\nX`,
      ['TOOL_FAILED', 'SERVICE_AUTH', 'SERVICE_UNREACHABLE'],
      /mariadb-dump: /,
    ),
  ]),
  dump('an empty dump, exit 0', 'exit 0', ['EMPTY_DUMP']),
  dump('an empty line, exit 0', 'echo', ['INCOMPLETE_DUMP']),
  dump('only the line that says complete', "echo '-- Dump completed on 2024-01-01 10:00:00'", ['INCOMPLETE_DUMP']),
  dump('lacks a table, with a completion line', leavingOut('shop.words'), ['INCOMPLETE_DUMP']),
  dump('lacks every table, with a completion line', leavingOut('shop.words', 'shop.noise', 'shop.empty'), [
    'INCOMPLETE_DUMP',
  ]),
  dump('without a completion line', '"$real" "$@" | head -n -1', ['INCOMPLETE_DUMP']),
  dump('a completion line that cannot be the end', `"$real" "$@"; echo 'INSERT INTO'`, ['INCOMPLETE_DUMP']),
  dump('a completion line in the middle', `${inTheMiddle}; printf '\\n-- Dump completed on 2024-01-01\\nINSERT INTO'`, [
    'INCOMPLETE_DUMP',
  ]),
  dump('hangs at once', 'sleep 1000', ['STALLED']),
  dump('hangs in the middle', `${inTheMiddle}; sleep 1000`, ['STALLED']),
  dump('hangs after a whole dump', '"$real" "$@"; sleep 1000', ['STALLED']),
  dump('hangs with its output closed', '"$real" "$@"; exec >&-; sleep 1000', ['STALLED']),
  dump('hangs and ignores SIGTERM', `trap '' TERM; ${inTheMiddle}; while :; do sleep 1; done`, ['STALLED']),
  dump('leaves a child behind', '"$real" "$@"; sleep 1000 & exit 0', ['SUCCEEDED']),
  dump('fails and leaves a child behind', 'sleep 1000 & exit 3', failed),
  dump('is talkative', `yes 'note: all is well' | head -n 200000 >&2; "$real" "$@"`, ['SUCCEEDED']),
  dump('says ten megabytes without a line end', `head -c 10000000 /dev/zero | tr '\\0' x >&2; "$real" "$@"`, [
    'SUCCEEDED',
  ]),
  dump(
    'is slow',
    `"$real" "$@" | while dd bs=500k count=1 iflag=fullblock 2>/dev/null | grep -a .; do sleep 0.1; done; exit 9`,
    failed,
  ),

  ...[1, 2, 11, 70, 127].flatMap((code) => [
    tool('zstd', `exit ${code} at once`, `echo 'zstd: no' >&2; exit ${code}`, failed, /zstd: no/),
    tool('zstd', `exit ${code} in the middle`, `head -c 3000000 | "$real" "$@"; exit ${code}`, failed),
    tool('zstd', `exit ${code} after everything`, `"$real" "$@"; echo 'disk' >&2; exit ${code}`, failed, /disk/),
  ]),
  ...signals.flatMap((signal) => [
    tool('zstd', `SIG${signal} at once`, `kill -${signal} $$; sleep 1000`, failed),
    tool('zstd', `SIG${signal} after everything`, `"$real" "$@"; kill -${signal} $$; sleep 1000`, failed),
  ]),
  tool('zstd', 'compresses a part only, exit 0', `head -c 3000000 | "$real" "$@"; cat > /dev/null`, [
    'INCOMPLETE_DUMP',
    'TOOL_FAILED',
  ]),
  tool('zstd', 'loses its last bytes, exit 0', `"$real" "$@" | head -c -100`, [
    'CHECKSUM',
    'TOOL_FAILED',
    'INCOMPLETE_DUMP',
  ]),
  tool('zstd', 'adds bytes, exit 0', `"$real" "$@"; echo more`, ['CHECKSUM']),
  tool('zstd', 'writes nothing, exit 0', 'cat > /dev/null', ['TOOL_VERSION', 'TOOL_FAILED']),
  tool('zstd', 'does not compress', 'cat', ['TOOL_VERSION']),
  tool('zstd', 'hangs at once', 'sleep 1000', ['STALLED']),
  tool('zstd', 'hangs in the middle', `head -c 3000000 | "$real" "$@"; sleep 1000`, ['STALLED']),
  tool('zstd', 'hangs after everything', '"$real" "$@"; sleep 1000', ['STALLED']),

  tool('perl', 'exit 1 at once', 'exit 1', failed),
  tool('perl', 'killed in the middle', `head -c 3000000 | "$real" "$@"; kill -KILL $$`, failed),
  tool('perl', 'counts a part only, exit 0', `head -c 3000000 | "$real" "$@"; cat > /dev/null`, ['INCOMPLETE_DUMP']),
  tool('perl', 'passes on without counting', 'cat', failed),
  tool('perl', 'hangs', 'sleep 1000', ['STALLED']),
];

/** The option file must stay the first argument. */
function leavingOut(...tables: readonly string[]): string {
  return `first=$1; shift; "$real" "$first" ${tables.map((table) => `--ignore-table=${table}`).join(' ')} "$@"`;
}

function dump(name: string, script: string, expects: Expected, toolSays?: RegExp): Fault {
  return tool('mariadb-dump', name, script, expects, toolSays);
}

function tool(program: string, name: string, script: string, expects: Expected, toolSays?: RegExp): Fault {
  return backupFault({
    group: program === 'mariadb-dump' ? 'Dump tool' : 'Compressor',
    name: `${program}: ${name}`,
    expects,
    ...(toolSays === undefined ? {} : { toolSays }),
    arm: () => ({ reached: () => true }),
    worker: async ({ folder }) => ({
      engine: createMariadbEngine({ tools: { folders: [await faultyTool(program, script, folder)] } }),
    }),
  });
}
