import { descendantsOf } from '../../fixtures/processes/childProcesses.js';
import { mongoToolsMissing } from '../../fixtures/servers/mongoTools.js';
import { mongoMissing } from '../../fixtures/servers/mongo.js';
import { mysqlMissing } from '../../fixtures/servers/mysql.js';
import { postgresVersionsMissing } from '../../fixtures/servers/postgresVersions.js';
import type { Expected } from '../backupTrial.js';
import { otherEngines, type EngineGround, type OtherEngine } from '../engines/engineGround.js';
import { tryEngineBackup, tryEngineRestore, type EngineFault } from '../engines/engineTrial.js';
import type { Fault } from '../trial.js';

const missing: Readonly<Record<OtherEngine, string | undefined>> = {
  MYSQL: mysqlMissing,
  POSTGRESQL: postgresVersionsMissing,
  MONGODB: mongoToolsMissing() ?? (await mongoMissing()),
};

const failed: Expected = ['TOOL_FAILED'];
const unreachable: Expected = ['SERVICE_UNREACHABLE'];
/**
 * mongodump sends a `find` again if its answer was cut off (retryable reads), and mongo-java-server puts all documents of a
 * collection into this answer. So no document is lost. A real mongod sends most documents in answers to getMore, which
 * mongodump does not repeat.
 */
const repeated: Expected = ['SUCCEEDED', 'SERVICE_UNREACHABLE'];
const incomplete: Expected = ['INCOMPLETE_DUMP', 'TOOL_FAILED'];
const stalled: Expected = ['STALLED'];
const resetSource = ({ sourceLine }: EngineGround) => sourceLine.reset();
const inTheMiddle = '"$real" "$@" | head -c 2000000';
/** Numbers of bytes on the wire, at the beginning, in the middle and near the end of a dump of 6 MB. */
const places = [600_000, 2_500_000, 4_500_000];

type Named = readonly [name: string, fault: EngineFault, only?: readonly OtherEngine[]];

/** Faults of the dump tool, of the pipeline, and of the source. */
const duringBackup: readonly Named[] = [
  ...[1, 127].flatMap((code) => [
    dump(`exit ${code} at once`, `echo 'no' >&2; exit ${code}`, failed),
    dump(`exit ${code} in the middle`, `${inTheMiddle}; exit ${code}`, failed),
    dump(`exit ${code} after a whole dump`, `"$real" "$@"; echo 'so sorry' >&2; exit ${code}`, failed),
  ]),
  ...['KILL', 'SEGV', 'TERM'].map((signal) =>
    dump(`SIG${signal} in the middle`, `${inTheMiddle}; kill -${signal} $$; sleep 1000`, failed),
  ),
  ...[100_000, 2_000_000, 5_000_000].map((bytes) =>
    dump(`cut short after ${bytes} bytes, exit 0`, `"$real" "$@" | head -c ${bytes}; exit 0`, incomplete),
  ),
  dump('loses the last bytes, exit 0', '"$real" "$@" | head -c -60; exit 0', incomplete),
  dump('an empty dump, exit 0', 'exit 0', ['EMPTY_DUMP', ...incomplete]),
  dump('hangs at once', 'sleep 1000', stalled),
  dump('hangs in the middle', `${inTheMiddle}; sleep 1000`, stalled),
  dump('hangs after a whole dump', '"$real" "$@"; sleep 1000', stalled),
  dump('hangs and ignores SIGTERM', `trap '' TERM; ${inTheMiddle}; while :; do sleep 1; done`, stalled),
  dump('leaves a child behind', '"$real" "$@"; sleep 1000 & exit 0', ['SUCCEEDED']),
  dump('fails and leaves a child behind', 'sleep 1000 & exit 3', failed),
  tool('zstd', 'exit 1 in the middle', 'head -c 1000000 | "$real" "$@"; exit 1', failed),
  tool('zstd', 'loses its last bytes, exit 0', '"$real" "$@" | head -c -100', ['CHECKSUM', ...incomplete]),
  tool('perl', 'killed in the middle', 'head -c 1000000 | "$real" "$@"; kill -KILL $$', failed),
  ...places.flatMap((bytes): readonly Named[] => [
    onLine('source', bytes, 'the server resets the connection', unreachable, resetSource, ['MYSQL', 'POSTGRESQL']),
    onLine('source', bytes, 'the server resets the connection', repeated, resetSource, ['MONGODB']),
    onLine('source', bytes, 'the server is gone', unreachable, ({ sourceLine }) => void sourceLine.cut()),
    onLine('source', bytes, 'the line to the server is dead', stalled, ({ sourceLine }) => sourceLine.freeze()),
    onLine('source', bytes, 'the tool is killed', failed, ({ dumpTool }) => killTools(dumpTool)),
  ]),
  withSessionsEnded('source', places[1] ?? 0, [...unreachable, ...failed]),
  changed('the password is changed meanwhile', {
    at: 1,
    expects: ['SUCCEEDED', 'SERVICE_AUTH'],
    change: (ground) => ground.setPassword?.('source', 'OTHER'),
    undo: (ground) => ground.setPassword?.('source', 'OWN'),
    only: ['MYSQL', 'POSTGRESQL'],
  }),
  changed('a table is dropped meanwhile', {
    at: 0,
    expects: ['SUCCEEDED', 'TOOL_FAILED', 'INCOMPLETE_DUMP'],
    change: (ground) => ground.dropLastTable(),
    undo: (ground) => ground.createLastTable(),
    // The dump of PostgreSQL has locked every table before the first row.
    only: ['MYSQL', 'MONGODB'],
  }),
];

/** Faults of the restore tool, of the pipeline, and of the target. */
const duringRestore: readonly Named[] = [
  ...[1, 127].map((code) => restore(`exit ${code} at once`, `echo 'no' >&2; exit ${code}`, failed)),
  ...['TERM', 'KILL', 'SEGV'].map((signal) =>
    restore(`SIG${signal} in the middle`, `head -c 2000000 | "$real" "$@"; kill -${signal} $$; sleep 1000`, failed),
  ),
  restore('reads nothing, exit 0', 'exit 0', failed),
  restore('reads all and does nothing, exit 0', 'cat > /dev/null', incomplete),
  restore('restores a half, exit 0', 'head -c 3000000 | "$real" "$@"; cat > /dev/null; exit 0', incomplete),
  restore('hangs', 'sleep 1000', stalled),
  restore('hangs after everything', '"$real" "$@"; sleep 1000', stalled),
  restore('fails after everything', '"$real" "$@"; exit 1', failed),
  restore('leaves a child behind', '"$real" "$@"; code=$?; sleep 1000 & exit $code', ['SUCCEEDED']),
  tool('zstd', 'killed in the middle', '"$real" "$@" | head -c 2000000; kill -KILL $$', [...failed, 'CHECKSUM']),
  tool('zstd', 'loses the end, exit 0', '"$real" "$@" | head -c 2000000; exit 0', [...incomplete, 'CHECKSUM']),
  ...places
    .slice(0, 2)
    .flatMap((bytes): readonly Named[] => [
      onLine('target', bytes, 'the server resets the connection', unreachable, ({ targetLine }) => targetLine.reset()),
      onLine('target', bytes, 'the tool is killed', failed, ({ restoreTool }) => killTools(restoreTool)),
    ]),
  withSessionsEnded('target', places[1] ?? 0, [...unreachable, ...failed]),
];

/** The faults of tools and servers that MariaDB's groups try, on every other engine. */
export const engines: readonly Fault[] = otherEngines.flatMap((engine) => [
  ...on(engine, 'backup', duringBackup),
  ...on(engine, 'restore', duringRestore),
]);

function on(engine: OtherEngine, what: 'backup' | 'restore', all: readonly Named[]): readonly Fault[] {
  return all
    .filter(([, , only]) => only?.includes(engine) ?? true)
    .map(([name, fault]) => ({
      ...{ group: `Engine ${engine}`, name: `${what}: ${name}`, missing: missing[engine] },
      attempt: async (bench) => {
        const { ground, clean } = await bench.engineGround(engine);
        if (what === 'backup') return tryEngineBackup(bench, ground, fault);
        return tryEngineRestore(bench, ground, clean, fault);
      },
    }));
}

function dump(name: string, script: string, expects: Expected): Named {
  return [`the dump tool: ${name}`, { expects, engine: (ground) => ground.faultyEngine(ground.dumpTool, script) }];
}

function restore(name: string, script: string, expects: Expected): Named {
  return [
    `the restore tool: ${name}`,
    { expects, engine: (ground) => ground.faultyEngine(ground.restoreTool, script) },
  ];
}

function tool(program: string, name: string, script: string, expects: Expected): Named {
  return [`${program}: ${name}`, { expects, engine: (ground) => ground.faultyEngine(program, script) }];
}

function onLine(
  of: 'source' | 'target',
  bytes: number,
  name: string,
  expects: Expected,
  act: (ground: EngineGround) => void,
  only?: readonly OtherEngine[],
): Named {
  const arm = (ground: EngineGround) => {
    const line = of === 'source' ? ground.sourceLine : ground.targetLine;
    const watch = line.atByte(bytes, () => act(ground), of === 'source' ? 'SERVER' : 'CLIENT');
    return { reached: () => watch.reached };
  };
  const fault = { expects, arm };
  return only === undefined ? [`${name} at byte ${bytes}`, fault] : [`${name} at byte ${bytes}`, fault, only];
}

function withSessionsEnded(of: 'source' | 'target', bytes: number, expects: Expected): Named {
  const act = (ground: EngineGround) => {
    const line = of === 'source' ? ground.sourceLine : ground.targetLine;
    // The data stops first. Otherwise a fast tool would already have ended.
    line.freeze();
    void ground.endSessions?.(of).finally(() => void line.heal());
  };
  return onLine(of, bytes, 'the server ends our sessions', expects, act, ['MYSQL', 'POSTGRESQL']);
}

function changed(
  name: string,
  fault: {
    /** Which of `places`. */
    readonly at: number;
    readonly expects: Expected;
    readonly change: (ground: EngineGround) => Promise<void> | undefined;
    readonly undo: (ground: EngineGround) => Promise<void> | undefined;
    readonly only: readonly OtherEngine[];
  },
): Named {
  const act = (ground: EngineGround) => {
    ground.sourceLine.freeze();
    void fault.change(ground)?.finally(() => void ground.sourceLine.heal());
  };
  const [what, armed] = onLine('source', places[fault.at] ?? 0, name, fault.expects, act);
  return [what, { ...armed, undo: async (ground) => fault.undo(ground) }, fault.only];
}

function killTools(name: string): void {
  for (const { pid, name: found } of descendantsOf(process.pid)) if (found === name) process.kill(pid, 'SIGKILL');
}
