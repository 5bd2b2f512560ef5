import { createMariadbEngine } from '../../../src/engines/mariadb/mariadbEngine.js';
import type { FaultRule } from '../../fixtures/servers/faultProxy.js';
import { faultyTool } from '../../fixtures/faultyTools.js';
import { backupFault, type BackupFault } from '../backupTrial.js';
import type { Fault } from '../trial.js';

/**
 * A gateway has received a whole upload when its client gives up. The storage stores it long after the attempt has ended and
 * its remains were deleted. Only a later check of the container finds it.
 */
export const lateUploads: readonly Fault[] = [
  late('a segment', {
    expects: ['TOOL_FAILED'],
    rule: { method: 'PUT', path: /\/segments\/databases\/00000005$/ },
    worker: async ({ folder }) => ({
      engine: createMariadbEngine({
        tools: { folders: [await faultyTool('mariadb-dump', '"$real" "$@"; exit 3', folder)] },
      }),
    }),
  }),
  late('the manifest', {
    expects: ['ENDPOINT_UNREACHABLE', 'STALLED'],
    rule: { method: 'PUT', path: /multipart-manifest=put/, times: Infinity },
  }),
  late('backup.json', {
    expects: ['ENDPOINT_UNREACHABLE', 'STALLED'],
    rule: { method: 'PUT', path: /\/backup\.json$/, times: Infinity },
  }),
];

function late(
  what: string,
  fault: Pick<BackupFault, 'expects' | 'worker'> & { readonly rule: Omit<FaultRule, 'fault'> },
): Fault {
  return backupFault({
    ...{ group: 'Late uploads', name: `${what} arrives when the attempt is over` },
    ...fault,
    arm: ({ storageLine }) => {
      let release: () => void = () => undefined;
      let arrived: () => void = () => undefined;
      const held = new Promise<void>((resolve) => (release = resolve));
      const passed = new Promise<void>((resolve) => (arrived = resolve));
      const injected = storageLine.inject({
        ...fault.rule,
        fault: { kind: 'passLate', held, onPassed: () => arrived() },
      });
      return {
        reached: () => injected.hits > 0,
        disarm: async () => {
          release();
          if (injected.hits > 0) await passed;
        },
      };
    },
  });
}
