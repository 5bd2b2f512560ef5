import { descendantsOf } from '../../fixtures/processes/childProcesses.js';
import { backupFault, type Expected } from '../backupTrial.js';
import { dumpOnTheWireBytes, type FaultBench } from '../faultBench.js';
import type { Fault } from '../trial.js';

const megabytes = Array.from({ length: 10 }, (_, index) => index + 1);
const unreachable: Expected = ['SERVICE_UNREACHABLE'];
const killed: Expected = ['TOOL_FAILED'];
const stalled: Expected = ['STALLED'];

/** Faults at each megabyte of a dump: of the connection to the database, and of each process in the pipeline. */
const duringTheDump: readonly Fault[] = megabytes.flatMap((megabyte) => [
  at(megabyte, 'the database resets the connection', unreachable, ({ sourceLine }) => sourceLine.reset()),
  at(megabyte, 'the database is gone', unreachable, ({ sourceLine }) => void sourceLine.cut()),
  at(megabyte, 'the server ends our sessions', [...unreachable, ...killed], (bench) => void endSessions(bench)),
  at(megabyte, 'the line to the database is dead', stalled, ({ sourceLine }) => sourceLine.freeze()),
  at(megabyte, 'mariadb-dump is killed', killed, () => signalTools('mariadb-dump', 'SIGKILL')),
  at(megabyte, 'mariadb-dump gets SIGTERM', killed, () => signalTools('mariadb-dump', 'SIGTERM')),
  at(megabyte, 'mariadb-dump is frozen', stalled, () => signalTools('mariadb-dump', 'SIGSTOP')),
  at(megabyte, 'zstd is killed', killed, () => signalTools('zstd', 'SIGKILL')),
  at(megabyte, 'zstd is frozen', stalled, () => signalTools('zstd', 'SIGSTOP')),
  at(megabyte, 'the counter is killed', killed, () => signalTools('perl', 'SIGKILL')),
  at(megabyte, 'the storage resets all connections', ['SUCCEEDED'], ({ storageLine }) => storageLine.reset()),
]);

/**
 * Faults of each connection. A backup opens connections to the server before, during and after the dump. The first
 * connection is that of the preflight. A later one may be that of the row count, without which a backup is still
 * complete.
 */
const eachConnection: readonly Fault[] = [0, 1, 2].flatMap((number) => [
  onConnection(number, 'is reset', number === 0 ? unreachable : ['SUCCEEDED', ...unreachable], ({ sourceLine }) =>
    sourceLine.reset(),
  ),
  onConnection(number, 'is the last that the server accepts', unreachable, ({ sourceLine }) => void sourceLine.cut()),
  onConnection(number, 'is dead', [...unreachable, ...stalled], ({ sourceLine }) => sourceLine.freeze()),
]);

export const databaseLine: readonly Fault[] = [...duringTheDump, ...eachConnection];

function at(megabyte: number, what: string, expects: Expected, act: (bench: FaultBench) => void): Fault {
  return backupFault({
    group: 'During the dump',
    name: `${what} at megabyte ${megabyte}`,
    expects,
    arm: (bench) => {
      const bytes = Math.round((megabyte / (megabytes.length + 1)) * dumpOnTheWireBytes);
      const watch = bench.sourceLine.atByte(bytes, () => act(bench));
      return { reached: () => watch.reached };
    },
  });
}

function onConnection(number: number, what: string, expects: Expected, act: (bench: FaultBench) => void): Fault {
  return backupFault({
    group: 'Database connections',
    name: `connection ${number + 1} ${what}`,
    expects,
    arm: (bench) => {
      const watch = bench.sourceLine.afterConnections(number, () => act(bench));
      return { reached: () => watch.reached };
    },
  });
}

function signalTools(name: string, signal: NodeJS.Signals): void {
  for (const tool of descendantsOf(process.pid)) if (tool.name === name) process.kill(tool.pid, signal);
}

/** Stops the data first and then ends the sessions. Otherwise a fast dump would already be complete. */
async function endSessions({ source, sourceLine }: FaultBench): Promise<void> {
  sourceLine.freeze();
  const ids = await source.sql("SELECT id FROM information_schema.processlist WHERE user = 'stowage'");
  await source.sql(
    ids
      .split('\n')
      .filter(Boolean)
      .map((id) => `KILL CONNECTION ${id};`)
      .join('\n'),
  );
  await sourceLine.heal();
}
