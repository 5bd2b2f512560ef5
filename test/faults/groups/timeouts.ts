import { createMariadbEngine } from '../../../src/engines/mariadb/mariadbEngine.js';
import { createSwiftDriver } from '../../../src/storage/swift/swiftDriver.js';
import type { FaultRule } from '../../fixtures/servers/faultProxy.js';
import { faultyTool } from '../../fixtures/faultyTools.js';
import { backupFault, type BackupFault } from '../backupTrial.js';
import { impatient } from '../impatient.js';
import type { Fault } from '../trial.js';

/** Long enough to reach each step on a busy machine, and shorter than every other limit. */
const timeoutMs = 6_000;
const patient = { swift: createSwiftDriver({ ...impatient, headersTimeoutMs: 60_000, bodyIdleTimeoutMs: 60_000 }) };

/** An attempt that takes too long, in each step. */
export const timeouts: readonly Fault[] = [
  tool('mariadb-dump', 'hangs at once', 'sleep 1000'),
  tool('mariadb-dump', 'hangs in the middle', '"$real" "$@" | head -c 4000000; sleep 1000'),
  tool('mariadb-dump', 'is slow, but makes progress', 'while echo "-- still here"; do sleep 0.2; done'),
  tool('mariadb-dump', 'ignores SIGTERM', `trap '' TERM; while :; do sleep 1; done`),
  tool('zstd', 'hangs at the end', '"$real" "$@"; sleep 1000'),
  storage('a segment', { method: 'PUT', path: /\/segments\/databases\/00000005$/ }),
  storage('the manifest', { method: 'PUT', path: /multipart-manifest=put/ }),
  storage('the look at the object', { method: 'HEAD', path: /\/databases\.sql\.zst$/ }),
  storage('backup.json', { method: 'PUT', path: /\/backup\.json$/ }),
];

function tool(program: string, how: string, script: string): Fault {
  return timeout(`${program} ${how}`, {
    arm: () => ({ reached: () => true }),
    worker: async ({ folder }) => ({
      engine: createMariadbEngine({ tools: { folders: [await faultyTool(program, script, folder)] } }),
    }),
  });
}

function storage(what: string, request: Pick<FaultRule, 'method' | 'path'>): Fault {
  return timeout(`the storage is silent at ${what}`, {
    arm: ({ storageLine }) => {
      // The fault happens once, because the cleaning afterwards reads the object too.
      const injected = storageLine.inject({ ...request, fault: { kind: 'stall' } });
      return { reached: () => injected.hits > 0 };
    },
    worker: () => patient,
  });
}

function timeout(name: string, fault: Pick<BackupFault, 'arm' | 'worker'>): Fault {
  const request = { timeoutMs, stallTimeoutMs: 120_000 };
  return backupFault({ group: 'Timeout', name, expects: ['TIMEOUT'], request, ...fault });
}
