import { randomBytes, randomUUID } from 'node:crypto';
import { StowageError } from '../errors.js';
import type { StepToTry } from './checkSteps.js';
import type { Storage } from './storage.js';

/** The steps of a check that are the same for every kind: store a small object, read it back, delete it. */
export class Probe {
  readonly #name = `.stowage-probe-${randomUUID()}`;
  readonly #bytes = randomBytes(1024);
  #mayBeThere = false;

  constructor(
    private readonly storage: Storage,
    /** The name of the place in sentences, for example `container 'backups' in RegionOne`. */
    private readonly place: string,
  ) {}

  /** The steps WRITE, READ_BACK and DELETE. */
  steps(): readonly StepToTry[] {
    return [
      { name: 'WRITE', run: (signal) => this.#write(signal) },
      { name: 'READ_BACK', run: (signal) => this.#readBack(signal) },
      { name: 'DELETE', run: (signal) => this.#delete(signal) },
    ];
  }

  /**
   * Deletes the object if a step failed before it was deleted. If this fails too, the name of the remaining object
   * shows its purpose.
   */
  async cleanUp(signal: AbortSignal): Promise<void> {
    if (this.#mayBeThere) await this.storage.delete(this.#name, { signal });
  }

  async #write(signal: AbortSignal): Promise<string> {
    this.#mayBeThere = true;
    await this.storage.putBytes(this.#name, this.#bytes, { signal });
    return 'A probe object was written.';
  }

  async #readBack(signal: AbortSignal): Promise<string> {
    const pieces: Uint8Array[] = [];
    for await (const piece of this.storage.get(this.#name, { signal })) pieces.push(piece);
    if (Buffer.concat(pieces).equals(this.#bytes)) return 'The probe object was read back without a difference.';
    throw new StowageError(
      'CHECKSUM',
      `The bytes that were read back from ${this.place} differ from the written bytes.`,
    );
  }

  async #delete(signal: AbortSignal): Promise<string> {
    await this.storage.delete(this.#name, { signal });
    if ((await this.storage.head(this.#name, { signal })) !== undefined) {
      throw new StowageError(
        'ENDPOINT_FORBIDDEN',
        `The probe object in ${this.place} still exists after it was deleted.`,
        {
          help: 'The container keeps deleted objects (by versioning or a lock). Use a container without these features.',
        },
      );
    }
    this.#mayBeThere = false;
    return 'The probe object was deleted.';
  }
}
