import { createMariadbEngine } from '../../../src/engines/mariadb/mariadbEngine.js';
import type { FaultRule } from '../../fixtures/servers/faultProxy.js';
import { faultyTool } from '../../fixtures/faultyTools.js';
import type { Expected } from '../backupTrial.js';
import { dumpOnTheWireBytes, type FaultBench } from '../faultBench.js';
import { restoreFault } from '../restoreTrial.js';
import type { Fault } from '../trial.js';

const object = { method: 'GET', path: /\/databases\.sql\.zst$/ };
const document = { method: 'GET', path: /\/backup\.json$/ };
const damaged: Expected = ['CHECKSUM'];
const unreachable: Expected = ['ENDPOINT_UNREACHABLE', 'STALLED'];
const offsets = [0, 700_000, 2_600_000, 4_800_000];
const megabytes = [1, 2, 3, 4, 5, 6, 7, 8];
const refusals: Readonly<Record<number, Expected>> = {
  400: unreachable,
  401: ['ENDPOINT_AUTH'],
  403: ['ENDPOINT_FORBIDDEN'],
  404: ['ENDPOINT_NOT_FOUND'],
  409: damaged,
  412: damaged,
  416: damaged,
  429: unreachable,
  500: unreachable,
  503: unreachable,
};

/** Faults of the storage during the check, before the first statement. */
const fetching: readonly Fault[] = [
  ...offsets.map((at) => fetched(`a flipped bit at byte ${at}`, { kind: 'flipAnswerByte', at }, damaged)),
  ...offsets.map((at) =>
    fetched(`the connection is cut at byte ${at}`, { kind: 'cutAnswer', afterBytes: at }, ['SUCCEEDED']),
  ),
  ...offsets.map((at) =>
    fetched(`the answer stalls at byte ${at}`, { kind: 'stallAnswer', afterBytes: at }, ['SUCCEEDED']),
  ),
  fetched('nothing comes, each time', { kind: 'cutAnswer', afterBytes: 0 }, [...damaged, ...unreachable], Infinity),
  fetched('the storage is silent, each time', { kind: 'stall' }, unreachable, Infinity),
  fetched('the token dies', { kind: 'endToken' }, ['SUCCEEDED']),
  ...Object.entries(refusals).map(([status, expects]) =>
    fetched(`${status} each time`, { kind: 'answer', status: Number(status) }, expects, Infinity),
  ),
  ofStorage('NOTHING', 'backup.json has a flipped bit', { ...document, fault: { kind: 'flipAnswerByte', at: 400 } }, [
    ...damaged,
    'SUCCEEDED',
  ]),
  ofStorage(
    'NOTHING',
    'backup.json is no JSON',
    { ...document, fault: { kind: 'replaceAnswer', status: 200, body: '{' } },
    [...damaged, ...unreachable],
  ),
  restoreFault({
    ...{ group: 'Restore', name: 'fetching: a database of that name is made on the target meanwhile' },
    ...{ expects: ['TARGET_EXISTS'], touches: 'NOTHING' },
    arm: ({ storageLine, target }) => {
      const act = () => target.sql('CREATE DATABASE shop').then(() => undefined);
      const injected = storageLine.inject({ ...object, fault: { kind: 'call', when: 'AFTER', act } });
      return { reached: () => injected.hits > 0 };
    },
  }),
];

/** Faults while statements run. */
const restoring: readonly Fault[] = [
  ...offsets.map((at) => read(`a flipped bit at byte ${at}`, { kind: 'flipAnswerByte', at }, damaged)),
  ...offsets.map((at) =>
    read(`the connection is cut at byte ${at}`, { kind: 'cutAnswer', afterBytes: at }, ['SUCCEEDED']),
  ),
  ...offsets.map((at) =>
    read(`the answer stalls at byte ${at}`, { kind: 'stallAnswer', afterBytes: at }, ['SUCCEEDED']),
  ),
  read('the storage is silent, each time', { kind: 'stall' }, unreachable, Infinity),
  read('the token dies', { kind: 'endToken' }, ['SUCCEEDED']),
  ...Object.entries(refusals).map(([status, expects]) =>
    read(`${status} each time`, { kind: 'answer', status: Number(status) }, expects, Infinity),
  ),
  ...megabytes.flatMap((megabyte) => [
    onTarget(megabyte, 'the connection is reset', ({ targetLine }) => targetLine.reset(), ['SERVICE_UNREACHABLE']),
    onTarget(megabyte, 'the server ends the session', (bench) => void endSessions(bench), [
      'SERVICE_UNREACHABLE',
      'TOOL_FAILED',
    ]),
  ]),
  ...[1, 5, 127].flatMap((code) => [
    client(`exit ${code} at once`, `exit ${code}`, ['TOOL_FAILED']),
    client(`exit ${code} and says why`, `echo 'mariadb: no' >&2; exit ${code}`, ['TOOL_FAILED'], /mariadb: no/),
  ]),
  ...['TERM', 'KILL', 'SEGV'].map((signal) =>
    client(`SIG${signal} in the middle`, `head -c 4000000 | "$real" "$@"; kill -${signal} $$; sleep 1000`, [
      'TOOL_FAILED',
    ]),
  ),
  client('reads nothing, exit 0', 'exit 0', ['TOOL_FAILED']),
  client('reads all and does nothing, exit 0', 'cat > /dev/null', ['TOOL_FAILED']),
  client('restores a half, exit 0', 'head -c 4000000 | "$real" "$@"; cat > /dev/null', [
    'TOOL_FAILED',
    'INCOMPLETE_DUMP',
    'CHECKSUM',
  ]),
  client('hangs', 'sleep 1000', ['STALLED']),
  client('fails after everything', '"$real" "$@"; exit 1', ['TOOL_FAILED']),
  unpacker('exit 1 in the middle', '"$real" "$@" | head -c 4000000; exit 1'),
  unpacker('killed in the middle', '"$real" "$@" | head -c 4000000; kill -KILL $$'),
  unpacker('loses the end, exit 0', '"$real" "$@" | head -c 4000000; exit 0'),
];

export const restores: readonly Fault[] = [...fetching, ...restoring];

function ofStorage(touches: 'NOTHING' | 'MAYBE', name: string, rule: FaultRule, expects: Expected): Fault {
  return restoreFault({
    ...{ group: 'Restore', name: `${touches === 'NOTHING' ? 'fetching' : 'restoring'}: ${name}`, expects, touches },
    arm: ({ storageLine }) => {
      const injected = storageLine.inject(rule);
      return { reached: () => injected.hits > 0 };
    },
  });
}

function fetched(name: string, fault: FaultRule['fault'], expects: Expected, times = 1): Fault {
  return ofStorage('NOTHING', name, { ...object, fault, times }, expects);
}

/** Faults of the second reading of the object, during the restore. */
function read(name: string, fault: FaultRule['fault'], expects: Expected, times = 1): Fault {
  return ofStorage('MAYBE', name, { ...object, fault, times, after: 1 }, expects);
}

function onTarget(megabyte: number, what: string, act: (bench: FaultBench) => void, expects: Expected): Fault {
  return restoreFault({
    ...{ group: 'Restore', name: `restoring: ${what} at megabyte ${megabyte}`, expects, touches: 'MAYBE' },
    arm: (bench) => {
      const bytes = Math.round((megabyte / (megabytes.length + 1)) * dumpOnTheWireBytes);
      const watch = bench.targetLine.atByte(bytes, () => act(bench), 'CLIENT');
      return { reached: () => watch.reached };
    },
  });
}

function client(name: string, script: string, expects: Expected, toolSays?: RegExp): Fault {
  return withTool('mariadb', name, script, expects, toolSays);
}

function unpacker(name: string, script: string): Fault {
  return withTool('zstd', name, script, ['TOOL_FAILED', 'INCOMPLETE_DUMP', 'CHECKSUM']);
}

function withTool(program: string, name: string, script: string, expects: Expected, toolSays?: RegExp): Fault {
  return restoreFault({
    ...{ group: 'Restore', name: `${program}: ${name}`, expects, touches: 'MAYBE' },
    ...(toolSays === undefined ? {} : { toolSays }),
    arm: () => ({ reached: () => true }),
    worker: async ({ folder }) => ({
      engine: createMariadbEngine({ tools: { folders: [await faultyTool(program, script, folder)] } }),
    }),
  });
}

/** Stops the data first and then ends the sessions. */
async function endSessions({ target, targetLine }: FaultBench): Promise<void> {
  targetLine.freeze();
  const ids = await target.sql("SELECT id FROM information_schema.processlist WHERE user = 'stowage'");
  for (const id of ids.split('\n').filter(Boolean)) await target.sql(`KILL CONNECTION ${id}`).catch(() => undefined);
  await targetLine.heal();
}
