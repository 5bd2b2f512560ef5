import { randomBytes, randomUUID } from 'node:crypto';
import type { CheckStep } from '../../check.js';
import { StowageError } from '../../errors.js';
import { trySteps, type StepToTry } from '../checkSteps.js';
import { largeObjectLimits } from './capabilities.js';
import { ensureContainer, removeEmptyContainer } from './container.js';
import type { CheckOptions } from '../storage.js';
import { deleteObject } from './deleteObject.js';
import { getObject } from './getObject.js';
import { headContainer, headObject } from './headObject.js';
import { LoginCache } from './loginCache.js';
import { pause } from '../http/retry.js';
import { putBytes } from './putBytes.js';
import { SwiftConnection } from './swiftConnection.js';
import { settingsProblem } from './swiftRules.js';
import { defaultTuning, type SwiftSettings } from './swiftSettings.js';

/**
 * Validate for a Swift endpoint. The login is always a new one, and nothing is tried twice: a person is waiting. The
 * probe object, and the container if this made it, are removed again whichever step fails.
 */
export async function checkSwift(
  settings: SwiftSettings,
  { signal, timeoutMs, mayWrite }: CheckOptions,
): Promise<readonly CheckStep[]> {
  const cleanUpMs = Math.min(3000, timeoutMs / 5);
  const limits = { signal, timeoutMs: timeoutMs - cleanUpMs, tooSlow: 'ENDPOINT_UNREACHABLE' } as const;
  const problem = settingsProblem(settings);
  if (problem !== undefined) {
    const run = () => Promise.reject(problem);
    return trySteps(
      stepNames.map((name) => ({ name, run })),
      limits,
    );
  }
  const tuning = { ...defaultTuning, ...settings.tuning, attempts: 1 };
  const connection = new SwiftConnection({ ...settings, tuning }, new LoginCache());
  const probe = new Probe(connection, mayWrite);
  try {
    return await trySteps(probe.steps(), limits);
  } finally {
    await probe.cleanUp(AbortSignal.timeout(cleanUpMs));
    await connection.close();
  }
}

const stepNames = [
  'RESOLVE',
  'AUTHENTICATE',
  'CATALOG',
  'CONTAINER',
  'WRITE',
  'READ_BACK',
  'DELETE',
  'CAPABILITIES',
] as const;

class Probe {
  readonly #name = `.stowage-probe-${randomUUID()}`;
  readonly #bytes = randomBytes(1024);
  #mayBeThere = false;
  #createdContainer = false;

  constructor(
    private readonly connection: SwiftConnection,
    private readonly mayWrite: CheckOptions['mayWrite'],
  ) {}

  steps(): readonly StepToTry[] {
    const run = {
      RESOLVE: (signal: AbortSignal) => this.#resolve(signal),
      AUTHENTICATE: (signal: AbortSignal) => this.#authenticate(signal),
      CATALOG: (signal: AbortSignal) => this.#findStorage(signal),
      CONTAINER: (signal: AbortSignal) => this.#findContainer(signal),
      WRITE: (signal: AbortSignal) => this.#write(signal),
      READ_BACK: (signal: AbortSignal) => this.#readBack(signal),
      DELETE: (signal: AbortSignal) => this.#delete(signal),
      CAPABILITIES: (signal: AbortSignal) => this.#tellCapabilities(signal),
    };
    return stepNames.map((name) => ({ name, run: run[name] }));
  }

  /** What is left after a step failed. What cannot be removed now has a name that tells what it is. */
  async cleanUp(signal: AbortSignal): Promise<void> {
    try {
      if (this.#mayBeThere) await deleteObject(this.connection, this.#name, signal);
      if (this.#createdContainer) await this.#removeContainer(signal);
    } catch (error) {
      if (!(error instanceof StowageError) && !signal.aborted) throw error;
    }
  }

  async #resolve(signal: AbortSignal): Promise<string> {
    await this.connection.knock(signal);
    return `${new URL(this.connection.settings.authUrl).host} answers.`;
  }

  async #authenticate(signal: AbortSignal): Promise<string> {
    await this.connection.login(signal);
    return 'The credentials are right.';
  }

  async #findStorage(signal: AbortSignal): Promise<string> {
    const url = (await this.connection.login(signal)).storageUrl();
    return `The object storage is at ${url.host}.`;
  }

  async #findContainer(signal: AbortSignal): Promise<string> {
    if (this.connection.settings.createContainer === true) {
      const container = await ensureContainer(this.connection, signal);
      this.#createdContainer = container.created;
      if (container.created)
        return 'The container does not exist yet; it can be made, and will be for the first backup.';
      await this.mayWrite?.(signal);
      return contents(container.objects, container.usedBytes);
    }
    const { objects, usedBytes } = await headContainer(this.connection, signal);
    await this.mayWrite?.(signal);
    return contents(objects, usedBytes);
  }

  async #write(signal: AbortSignal): Promise<string> {
    this.#mayBeThere = true;
    await putBytes(this.connection, this.#name, this.#bytes, { signal });
    return 'A probe object was written.';
  }

  async #readBack(signal: AbortSignal): Promise<string> {
    const pieces: Uint8Array[] = [];
    for await (const piece of getObject(this.connection, this.#name, { signal })) pieces.push(piece);
    if (Buffer.concat(pieces).equals(this.#bytes)) return 'It reads back as it was written.';
    throw new StowageError('CHECKSUM', `What was read back from ${this.connection.place} is not what was written.`);
  }

  async #delete(signal: AbortSignal): Promise<string> {
    await deleteObject(this.connection, this.#name, signal);
    if ((await headObject(this.connection, this.#name, signal)) !== undefined) {
      throw new StowageError(
        'ENDPOINT_FORBIDDEN',
        `The probe object in ${this.connection.place} is there after it was deleted.`,
        {
          help: 'The container keeps what is deleted (versions, a lock): use one that does not.',
        },
      );
    }
    this.#mayBeThere = false;
    return 'The probe object was deleted.';
  }

  async #tellCapabilities(signal: AbortSignal): Promise<string> {
    const { maxSegments } = await largeObjectLimits(this.connection, signal);
    const { quotaBytes, usedBytes } = await headContainer(this.connection, signal);
    const room = quotaBytes === undefined ? '' : ` The container's quota leaves ${gigabytes(quotaBytes - usedBytes)}.`;
    return `Large objects of up to ${maxSegments} segments.${room}`;
  }

  /** The container's own listing may lag behind the deletion of the probe. */
  async #removeContainer(signal: AbortSignal): Promise<void> {
    while (!(await removeEmptyContainer(this.connection, signal))) await pause(100, signal);
    this.#createdContainer = false;
  }
}

function contents(objects: number, usedBytes: number): string {
  return `The container exists, with ${objects} objects and ${gigabytes(usedBytes)}.`;
}

function gigabytes(bytes: number): string {
  return `${(bytes / 1e9).toFixed(1)} GB`;
}
