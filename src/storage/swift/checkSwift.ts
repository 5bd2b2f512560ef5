import type { CheckStep } from '../../check.js';
import { StowageError } from '../../errors.js';
import { trySteps, type StepToTry } from '../checkSteps.js';
import { pause } from '../http/retry.js';
import { Probe } from '../probe.js';
import type { SegmentMemory } from '../segments/segmentMemory.js';
import type { CheckOptions } from '../storage.js';
import { largeObjectLimits } from './capabilities.js';
import { ensureContainer, removeEmptyContainer } from './container.js';
import { headContainer } from './headObject.js';
import { LoginCache } from './loginCache.js';
import { SwiftConnection } from './swiftConnection.js';
import { settingsProblem } from './swiftRules.js';
import { defaultTuning, type SwiftSettings } from './swiftSettings.js';
import { SwiftStorage } from './swiftStorage.js';

/**
 * Validate for a Swift endpoint. It always uses a new login, and retries nothing, because a person is waiting. In the
 * end it removes the probe object, and the container if it has created it, also if a step failed.
 */
export async function checkSwift(
  settings: SwiftSettings,
  memory: SegmentMemory,
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
  // A separate step creates the container, so the storage must not create it.
  const connection = new SwiftConnection({ ...settings, tuning, createContainer: false }, new LoginCache());
  const check = new SwiftCheck(connection, memory, settings.createContainer === true, mayWrite);
  try {
    return await trySteps(check.steps(), limits);
  } finally {
    await check.cleanUp(AbortSignal.timeout(cleanUpMs));
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

class SwiftCheck {
  readonly #probe: Probe;
  #createdContainer = false;

  constructor(
    private readonly connection: SwiftConnection,
    memory: SegmentMemory,
    private readonly mayCreate: boolean,
    private readonly mayWrite: CheckOptions['mayWrite'],
  ) {
    this.#probe = new Probe(new SwiftStorage(connection, memory), connection.place);
  }

  steps(): readonly StepToTry[] {
    return [
      { name: 'RESOLVE', run: (signal) => this.#resolve(signal) },
      { name: 'AUTHENTICATE', run: (signal) => this.#authenticate(signal) },
      { name: 'CATALOG', run: (signal) => this.#findStorage(signal) },
      { name: 'CONTAINER', run: (signal) => this.#findContainer(signal) },
      ...this.#probe.steps(),
      { name: 'CAPABILITIES', run: (signal) => this.#readCapabilities(signal) },
    ];
  }

  /** Removes the probe and the new container after a failed step, if the storage still answers. */
  async cleanUp(signal: AbortSignal): Promise<void> {
    try {
      await this.#probe.cleanUp(signal);
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
    return 'The credentials are accepted.';
  }

  async #findStorage(signal: AbortSignal): Promise<string> {
    const url = (await this.connection.login(signal)).storageUrl();
    return `The object storage is at ${url.host}.`;
  }

  async #findContainer(signal: AbortSignal): Promise<string> {
    const { created, objects, usedBytes } = this.mayCreate
      ? await ensureContainer(this.connection, signal)
      : { ...(await headContainer(this.connection, signal)), created: false };
    this.#createdContainer = created;
    if (created)
      return 'The container does not exist yet. The credentials allow to create it, and the first backup does so.';
    await this.mayWrite?.(signal);
    return `The container exists, with ${objects} objects and ${gigabytes(usedBytes)}.`;
  }

  async #readCapabilities(signal: AbortSignal): Promise<string> {
    const { maxSegments } = await largeObjectLimits(this.connection, signal);
    const { quotaBytes, usedBytes } = await headContainer(this.connection, signal);
    const room =
      quotaBytes === undefined ? '' : ` The quota of the container has ${gigabytes(quotaBytes - usedBytes)} left.`;
    return `Large objects of up to ${maxSegments} segments.${room}`;
  }

  /** The container's own listing may show the probe for a while after its deletion. */
  async #removeContainer(signal: AbortSignal): Promise<void> {
    while (!(await removeEmptyContainer(this.connection, signal))) await pause(100, signal);
    this.#createdContainer = false;
  }
}

function gigabytes(bytes: number): string {
  return `${(bytes / 1e9).toFixed(1)} GB`;
}
