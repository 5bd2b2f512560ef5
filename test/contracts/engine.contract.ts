import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { compareInventories } from '../../src/archive/compareInventories.js';
import { restoreByHand } from '../../src/archive/restoreByHand.js';
import type { Engine } from '../../src/engines/engine.js';
import type { EngineContext } from '../../src/engines/engineContext.js';
import { usualSteps } from '../../src/engines/pipeline/storedSteps.js';
import type { PartSpec, PreflightReport } from '../../src/engines/preflightReport.js';
import type { ServiceConnection } from '../../src/engines/serviceConnection.js';
import { checkOf } from '../../src/check.js';
import { childrenNamed } from '../fixtures/processes/childProcesses.js';
import { startRestore } from '../fixtures/dumpAndRestore.js';

export type EngineUnderTest = {
  readonly engine: Engine;
  /** A server with data. */
  readonly source: ServiceConnection;
  /** A connection to a port where no server listens. */
  readonly nowhere: ServiceConnection;
  /** A server without data. `clearTarget` removes its data again. */
  readonly target: ServiceConnection;
  clearTarget(): Promise<void>;
  /** Everything that a restore must bring back, in a form that can be compared. */
  contents(of: ServiceConnection): Promise<unknown>;
  /** The options that a person appends to the command for a restore by hand, so that it reaches the target. */
  readonly byHandTarget: string;
  /** A folder with the tools of the right version for that command. Absent: those of the system are right. */
  readonly byHandFolder?: string;
  stop(): Promise<void>;
};

type StoredPart = { readonly part: PartSpec; readonly bytes: Buffer };

/** The requirements of every engine; see src/engines/engine.ts. */
export function engineContract(name: string, start: () => Promise<EngineUnderTest>): void {
  describe(`the contract of an engine, for ${name}`, () => {
    let tested: EngineUnderTest;
    let engine: Engine;
    let folder: string;
    let restores = 0;

    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), 'stowage-engine-'));
      tested = await start();
      engine = tested.engine;
    });
    afterEach(async () => {
      expect(childrenNamed(...engine.programs, 'perl', 'setpriv')).toEqual([]);
      await tested.clearTarget();
    });
    afterAll(async () => {
      await tested.stop();
      await rm(folder, { recursive: true });
    });

    const context = (signal = new AbortController().signal): EngineContext => ({ workFolder: folder, signal });
    const prepare = (signal?: AbortSignal) =>
      engine.prepareDump(tested.source, { ...context(signal), steps: usualSteps });

    async function dumpAll(): Promise<{ readonly report: PreflightReport; readonly parts: readonly StoredPart[] }> {
      const prepared = await prepare();
      const parts: StoredPart[] = [];
      for (const part of prepared.report.parts) {
        const running = await prepared.dump(part, context());
        const chunks: Buffer[] = [];
        // Each chunk is copied, because the next chunk may use the same memory.
        for await (const chunk of running.stored) chunks.push(Buffer.from(chunk));
        await running.counting?.end(0);
        const { failure, storedSizeBytes, sizeBytes } = await running.ended;
        expect(failure).toBeNull();
        const bytes = Buffer.concat(chunks);
        expect(storedSizeBytes).toBe(bytes.length);
        expect(sizeBytes).toBeGreaterThan(0);
        parts.push({ part, bytes });
      }
      await prepared.close();
      return { report: prepared.report, parts };
    }

    async function restoreAll({ report, parts }: Awaited<ReturnType<typeof dumpAll>>): Promise<void> {
      const source = { restoreId: `restore ${(restores += 1)}`, inventory: report.inventory };
      for (const { part, bytes } of parts.filter((each) => each.part.replay !== false)) {
        const running = await startRestore(engine, tested.target, part, source, context());
        running.stored.end(bytes);
        expect((await running.ended).failure).toBeNull();
      }
    }

    test('reports the version of every program that it needs', async () => {
      const tools = await engine.tools();
      expect(Object.keys(tools)).toEqual(expect.arrayContaining([...engine.programs]));
      for (const versions of Object.values(tools))
        expect(versions).toEqual([expect.stringMatching(/\d/), ...versions.slice(1)]);
    });

    test('checks a server step by step', async () => {
      const limits = { signal: new AbortController().signal, timeoutMs: 60_000 };
      expect(checkOf(await engine.check(tested.source, limits), new Date())).toMatchObject({ ok: true });
      expect(checkOf(await engine.check(tested.nowhere, limits), new Date())).toMatchObject({ ok: false });
    });

    test('refuses a server that does not answer', async () => {
      const prepared = engine.prepareDump(tested.nowhere, { ...context(), steps: usualSteps });
      await expect(prepared).rejects.toMatchObject({ code: 'SERVICE_UNREACHABLE' });
    });

    test('names its parts, and the databases of each part', async () => {
      const prepared = await prepare();
      await prepared.close();
      const { inventory, parts } = prepared.report;
      const names = parts.map((part) => part.name);
      expect(new Set(names).size).toBe(names.length);
      const known = inventory.databases.map((database) => database.name);
      expect(known).not.toEqual([]);
      for (const { databases = [] } of parts) expect(known).toEqual(expect.arrayContaining([...databases]));
    });

    test('leaves no process behind if the dump that it prepared is never started', async () => {
      const prepared = await prepare();
      await prepared.close();
      await prepared.close();
    });

    test('starts no dump if `mayStart` rejects', async () => {
      const prepared = await prepare();
      const refused = new Error('refused');
      const mayStart = Promise.reject(refused);
      mayStart.catch(() => undefined);
      const [part] = prepared.report.parts;
      await expect(prepared.dump(part!, { ...context(), mayStart })).rejects.toBe(refused);
      await prepared.close();
    });

    test('ends an aborted dump, and reports it as a failure', async () => {
      const given = new AbortController();
      const prepared = await prepare();
      const [part] = prepared.report.parts;
      const mayStart = Promise.resolve().then(() => given.abort(new Error('cancelled')));
      const running = prepared.dump(part!, { ...context(given.signal), mayStart });
      await expect(running).rejects.toThrow('cancelled');
      await prepared.close();
    });

    test('restores everything that a restore replays, and its own comparison confirms this', async () => {
      const dumped = await dumpAll();
      await engine.restorePreflight(tested.target, { inventory: dumped.report.inventory }, context());
      await restoreAll(dumped);
      expect(await tested.contents(tested.target)).toEqual(await tested.contents(tested.source));
      const { inventory } = dumped.report;
      const databases = inventory.databases.map((database) => database.name);
      const found = await engine.inventory({ ...tested.target, databases }, context());
      const judged = { expected: inventory, actual: found, changesByItself: false };
      const losses = compareInventories(inventory, found)
        .differences.map((difference) => engine.judgeDifference(difference, judged))
        .filter((loss) => loss !== null);
      expect(losses).toEqual([]);
    });

    test('refuses a target that already has one of the databases', async () => {
      const dumped = await dumpAll();
      await restoreAll(dumped);
      const again = engine.restorePreflight(tested.target, { inventory: dumped.report.inventory }, context());
      await expect(again).rejects.toMatchObject({ code: 'TARGET_EXISTS' });
    });

    test('judges a missing database as a loss', async () => {
      const dumped = await dumpAll();
      const actual = { ...dumped.report.inventory, databases: [] };
      const judged = { expected: dumped.report.inventory, actual, changesByItself: false };
      const { differences } = compareInventories(judged.expected, actual);
      expect(differences.map((difference) => engine.judgeDifference(difference, judged))).not.toContain(null);
    });

    test('reports truncated stored bytes as a failure', async () => {
      const { report, parts } = await dumpAll();
      const { part, bytes } = parts.find((each) => each.part.replay !== false)!;
      const source = { restoreId: `restore ${(restores += 1)}`, inventory: report.inventory };
      const running = await startRestore(engine, tested.target, part, source, context());
      running.stored.on('error', () => undefined);
      running.stored.end(bytes.subarray(0, bytes.length - 5));
      expect((await running.ended).failure).not.toBeNull();
    });

    test('is restored by hand with its command alone, without our code', async () => {
      const { parts } = await dumpAll();
      for (const [index, { part, bytes }] of parts.entries()) {
        const file = join(folder, `${index}.stored`);
        await writeFile(file, bytes);
        const line = restoreByHand(engine, part, usualSteps, `cat '${file}'`);
        const whole = part.replay === false ? `${line} > /dev/null` : `${line} ${tested.byHandTarget}`;
        const PATH = [tested.byHandFolder, process.env['PATH']].filter((each) => each !== undefined).join(':');
        await promisify(execFile)('bash', ['-o', 'pipefail', '-c', whole], { env: { ...process.env, PATH } });
      }
      expect(await tested.contents(tested.target)).toEqual(await tested.contents(tested.source));
    });

    test('reports that no session is left for a restore that never ran', async () => {
      expect(await engine.endOurSessions(tested.target, 'no restore', context())).toBe(true);
    });
  });
}
