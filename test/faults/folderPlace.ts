import { join } from 'node:path';
import { fileEndpoint } from '../../src/endpoints/fileEndpoint.js';
import type { FaultBench } from './faultBench.js';
import { folderHand } from './folderHand.js';

/** A bench whose backups go into a folder below the root of the harness. The endpoint is removed afterwards. */
export async function withFolder<T>(
  bench: FaultBench,
  path: string,
  work: (there: FaultBench) => Promise<T>,
): Promise<T> {
  const { harness } = bench;
  const fileEndpointId = await harness.addFolder({ path });
  try {
    return await work({ ...bench, fileEndpointId, hand: folderHand(join(harness.ground.root, path)) });
  } finally {
    const endpoint = { id: fileEndpointId, projectId: harness.projectId };
    const at = new Date().toISOString();
    await harness.transact((tx) => tx.execute(fileEndpoint, endpoint, { kind: 'REMOVE', at }));
  }
}
