import type { SwiftSettings } from '../../src/storage/swift/swiftSettings.js';
import { swiftDriver } from '../../src/storage/swift/swiftDriver.js';
import { keystoneMissing, startKeystone } from '../fixtures/servers/keystone.js';
import { describeWith } from '../fixtures/requirements.js';
import { startSwift, swiftMissing } from '../fixtures/servers/swift.js';
import { storageContract, type StorageUnderTest } from './storage.contract.js';

const segmentBytes = 64 * 1024;
const tuning = { smallSegmentBytes: segmentBytes, largeSegmentBytes: segmentBytes, listingPage: 3 };

describeWith({ swift: swiftMissing }, 'Swift with the v1 login', () => {
  storageContract('Swift with the v1 login', async () => {
    const server = await startSwift();
    return underTest(server.settings('backups of test #1'), () => server.stop());
  });
});

describeWith({ swift: swiftMissing, keystone: keystoneMissing }, 'Swift with Keystone', () => {
  storageContract('Swift with a service user of Keystone', async () => {
    const server = await startKeystone();
    return underTest(server.settings('backups'), () => server.stop());
  });
});

function underTest(settings: SwiftSettings, stop: () => Promise<void>): StorageUnderTest {
  const storage = swiftDriver.open({ ...settings, tuning });
  const signal = new AbortController().signal;
  return {
    storage,
    exclusive: false,
    segmentBytes,
    tamper: async (name, bytes) => {
      if (bytes === null) await storage.delete(name, { signal });
      else await storage.putBytes(name, bytes, { signal, overwrite: true });
    },
    lastPieceOf: (_, segmentFolder, stored) => segmentFolder + String(stored.segments.length).padStart(8, '0'),
    stop,
  };
}
