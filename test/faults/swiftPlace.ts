import { fileEndpoint } from '../../src/endpoints/fileEndpoint.js';
import { startFaultProxy, type FaultProxy } from '../fixtures/servers/faultProxy.js';
import { startSwift, type SwiftOptions, type SwiftServer } from '../fixtures/servers/swift.js';
import { containerName, type FaultBench } from './faultBench.js';
import { openSwiftHand } from './foreignHand.js';

/** A bench whose backups go into another Swift with its own proxy. Both are removed afterwards. */
export async function withSwift<T>(
  bench: FaultBench,
  options: SwiftOptions,
  work: (there: FaultBench) => Promise<T>,
): Promise<T> {
  const { harness } = bench;
  const swift = await startSwift(options);
  const storageLine = await startFaultProxy(swift.url);
  try {
    const fileEndpointId = await harness.addSwift(behind(swift, storageLine), containerName);
    const hand = await openSwiftHand(swift.url, containerName);
    const heal = async () => {
      storageLine.heal();
      await bench.heal();
    };
    try {
      return await work({ ...bench, swift, storageLine, fileEndpointId, hand, swiftHand: hand, heal });
    } finally {
      const endpoint = { id: fileEndpointId, projectId: harness.projectId };
      const at = new Date().toISOString();
      await harness.transact((tx) => tx.execute(fileEndpoint, endpoint, { kind: 'REMOVE', at }));
    }
  } finally {
    await storageLine.stop();
    await swift.stop();
  }
}

function behind(swift: SwiftServer, { url }: FaultProxy): SwiftServer {
  return { ...swift, settings: (container) => swift.settings(container, url) };
}
