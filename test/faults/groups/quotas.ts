import type { FaultRule } from '../../fixtures/servers/faultProxy.js';
import { backupFault, nextBackup } from '../backupTrial.js';
import type { FaultBench } from '../faultBench.js';
import type { Quotas } from '../foreignHand.js';
import type { Arming, Fault, Problem } from '../trial.js';

/** A quota that is already used up. Swift itself checks it. */
const kinds: readonly { readonly name: string; readonly quotas: Quotas }[] = [
  { name: "the container's bytes", quotas: { bytes: 1 } },
  { name: "the container's objects", quotas: { objects: 1 } },
  { name: "the account's bytes", quotas: { accountBytes: 1 } },
];

const segment = (number: number) => ({
  method: 'PUT',
  path: new RegExp(`/segments/databases/${String(number).padStart(8, '0')}$`),
});
/** Undefined: before the backup begins. */
const moments: readonly { readonly name: string; readonly request?: Pick<FaultRule, 'method' | 'path'> }[] = [
  { name: 'before the backup' },
  { name: 'at the first segment', request: segment(1) },
  { name: 'in the middle', request: segment(5) },
  { name: 'at the ninth segment', request: segment(9) },
  { name: 'at the manifest', request: { method: 'PUT', path: /multipart-manifest=put/ } },
  { name: 'at backup.json', request: { method: 'PUT', path: /\/backup\.json$/ } },
];

/** In addition to the current size of the container. */
const growing: readonly ((used: { bytes: number; objects: number }) => Quotas)[] = [
  ({ bytes }) => ({ bytes: bytes + 700_000 }),
  ({ bytes }) => ({ bytes: bytes + 2_500_000 }),
  ({ objects }) => ({ objects: objects + 1 }),
  ({ objects }) => ({ objects: objects + 6 }),
];

/** Quotas of a real Swift that are used up before, during or at the end of a backup. */
export const quotas: readonly Fault[] = [
  ...kinds.flatMap((kind) =>
    moments.map(({ name, request }) =>
      onQuota(`${kind.name} are used up ${name}`, async ({ swiftHand, storageLine }) => {
        const set = () => swiftHand.setQuotas(kind.quotas);
        if (request === undefined) {
          await set();
          return { reached: () => true };
        }
        const injected = storageLine.inject({ ...request, fault: { kind: 'call', when: 'BEFORE', act: set } });
        return { reached: () => injected.hits > 0 };
      }),
    ),
  ),
  ...growing.map((quotasFor) =>
    onQuota(`the backup grows beyond ${JSON.stringify(quotasFor({ bytes: 0, objects: 0 }))}`, async (bench) => {
      const { swiftHand, storageLine } = bench;
      const limits = quotasFor(await swiftHand.used());
      await swiftHand.setQuotas(limits);
      // Swift caches the size of a container for a minute. After the quota is set again, it reads the size again.
      const act = () => swiftHand.setQuotas(limits);
      const injected = storageLine.inject({
        ...{ method: 'PUT', path: /\/faults\//, times: Infinity },
        fault: { kind: 'call', when: 'BEFORE', act },
      });
      return { reached: () => injected.hits > 0 };
    }),
  ),
];

function onQuota(name: string, arm: (bench: FaultBench) => Promise<Arming>): Fault {
  const group = 'Quota';
  return {
    ...{ group, name },
    attempt: async (bench) => {
      try {
        const fault = backupFault({ group, name, expects: ['ENDPOINT_QUOTA'], arm });
        const trial = await fault.attempt(bench);
        const problems: Problem[] = [...trial.problems];
        if (!trial.sentence.includes('quota')) problems.push({ kind: 'MISREPORTED', what: trial.sentence });
        await bench.swiftHand.setQuotas({});
        return { ...trial, problems: [...problems, ...(await nextBackup(bench))] };
      } finally {
        await bench.swiftHand.setQuotas({});
      }
    },
  };
}
