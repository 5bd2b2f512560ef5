import { randomUUID } from 'node:crypto';
import { constants, type BigIntStats } from 'node:fs';
import { link, lstat, open, rename, unlink, type FileHandle } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { StowageError } from '../../errors.js';
import { interruptible } from '../interruptible.js';
import { ProgressReporter } from '../progressReporter.js';
import type { ObjectInfo, PutOptions, Storage, StoredObject, UnfinishedUpload, VerifyOptions } from '../storage.js';
import { filesystemError, systemCode } from './filesystemErrors.js';
import type { FilesystemSettings } from './filesystemSettings.js';
import { Folder, isOneOf, syncFolder } from './folder.js';
import { filesBelow } from './listing.js';
import { SegmentCheck } from '../segments/segmentCheck.js';
import { SegmentDigests } from './segmentDigests.js';

/** Files with such a name are unfinished uploads: they are still being written, or a crash has left them behind. */
const partialPrefix = '.stowage-partial-';

const isPartial = (name: string) => basename(name).startsWith(partialPrefix);

const segmentBytes = 16 * 1024 * 1024;
const readBytes = 1024 * 1024;

/**
 * Objects as files in one folder. A file is written under another name, flushed, and renamed. So an object exists
 * completely or not at all, also after a power cut. The etag is size and modification time, because `cp -a` and `rsync
 * -a` keep them.
 */
export class FilesystemStorage implements Storage {
  readonly listsSegments = false;
  readonly needsMarker = true;
  readonly #folder: Folder;

  constructor(settings: FilesystemSettings) {
    this.#folder = new Folder(settings);
  }

  put(name: string, source: AsyncIterable<Uint8Array>, options: PutOptions): Promise<StoredObject> {
    return this.#translateErrors(name, async () => {
      const digests = new SegmentDigests(segmentBytes);
      const progress = new ProgressReporter(options.onProgress);
      const path = await this.#folder.pathOf(name);
      const etag = await this.#writeBeside(path, options.signal, async (file) => {
        for await (const chunk of interruptible(source, options.signal)) {
          const segmentsBefore = digests.completeSegments;
          await writeAll(file, chunk);
          digests.update(chunk);
          if (digests.completeSegments > segmentsBefore) progress.confirmed(digests.sizeBytes);
          else progress.moved(digests.sizeBytes);
        }
        return (partial) => linkOnlyIfNew(partial, path, name);
      });
      const stored = digests.finish();
      progress.confirmed(stored.sizeBytes);
      return { ...stored, etag };
    });
  }

  putBytes(
    name: string,
    bytes: Uint8Array,
    options: { signal: AbortSignal; overwrite?: boolean },
  ): Promise<{ etag: string }> {
    return this.#translateErrors(name, async () => {
      const path = await this.#folder.pathOf(name);
      const etag = await this.#writeBeside(path, options.signal, async (file) => {
        await writeAll(file, bytes);
        if (options.overwrite === true) return (partial) => rename(partial, path);
        return (partial) => linkOnlyIfNew(partial, path, name);
      });
      return { etag };
    });
  }

  verify(name: string, stored: StoredObject, { signal, onAnswer }: VerifyOptions): Promise<void> {
    return this.#translateErrors(name, async () => {
      const differs = () =>
        new StowageError('CHECKSUM', `The content of the file '${name}' differs from the bytes that were written.`);
      const check = new SegmentCheck(stored);
      let sizeBytes = 0;
      for await (const chunk of this.#read(name, {
        signal,
        etag: stored.etag,
        buffer: Buffer.allocUnsafe(readBytes),
      })) {
        sizeBytes += chunk.length;
        for (let at = 0; at < chunk.length;) {
          const piece = chunk.subarray(at, at + check.missingBytes);
          if (piece.length === 0 || check.add(piece) === 'DIFFERENT') throw differs();
          at += piece.length;
        }
        onAnswer?.();
      }
      if (sizeBytes !== stored.sizeBytes || !check.isWhole()) throw differs();
    });
  }

  get(
    name: string,
    options: { signal: AbortSignal; etag?: string; start?: number },
  ): AsyncGenerator<Uint8Array, void, undefined> {
    return this.#read(name, options);
  }

  /** `buffer`: holds each chunk, which is then valid until the next one is requested. Absent: a new one for each chunk. */
  async *#read(
    name: string,
    options: { signal: AbortSignal; etag?: string; start?: number; buffer?: Buffer },
  ): AsyncGenerator<Uint8Array, void, undefined> {
    const path = await this.#translateErrors(name, () => this.#folder.pathOf(name));
    // Without O_NONBLOCK, opening a named pipe in the place of the file would block for ever.
    const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
    const file = await this.#translateErrors(name, async () => {
      try {
        return await open(path, flags);
      } catch (error) {
        throw isOneOf(error, ['ENOENT', 'ENOTDIR']) ? missing(name, this.#folder.path, error) : error;
      }
    });
    try {
      const before = await this.#translateErrors(name, () => file.stat({ bigint: true }));
      if (!before.isFile()) throw changed(name);
      const etag = options.etag ?? etagOf(before);
      const checkSame = (now: BigIntStats) => {
        if (etagOf(now) !== etag) throw changed(name);
      };
      checkSame(before);
      const size = Number(before.size);
      let at = options.start ?? 0;
      while (at < size) {
        options.signal.throwIfAborted();
        const length = Math.min(readBytes, size - at);
        const buffer = options.buffer ?? Buffer.allocUnsafe(length);
        const { bytesRead } = await this.#translateErrors(name, () => file.read(buffer, 0, length, at));
        if (bytesRead === 0) throw changed(name);
        at += bytesRead;
        yield buffer.subarray(0, bytesRead);
      }
      checkSame(await this.#translateErrors(name, () => file.stat({ bigint: true })));
    } finally {
      await file.close();
    }
  }

  head(name: string, options: { signal: AbortSignal }): Promise<ObjectInfo | undefined> {
    return this.#translateErrors(name, async () => {
      options.signal.throwIfAborted();
      const path = await this.#folder.pathOf(name);
      try {
        const stats = await lstat(path, { bigint: true });
        return stats.isFile() ? { name, sizeBytes: Number(stats.size), etag: etagOf(stats) } : undefined;
      } catch (error) {
        if (isOneOf(error, ['ENOENT', 'ENOTDIR', 'ENAMETOOLONG'])) return undefined;
        throw error;
      }
    });
  }

  async *list(prefix: string, options: { signal: AbortSignal }): AsyncGenerator<ObjectInfo, void, undefined> {
    for await (const { name, stats } of this.#files(prefix, options.signal)) {
      if (!isPartial(name)) yield { name, sizeBytes: Number(stats.size), etag: etagOf(stats) };
    }
  }

  async *unfinishedUploads(
    prefix: string,
    options: { signal: AbortSignal },
  ): AsyncGenerator<UnfinishedUpload, void, undefined> {
    for await (const { name, stats } of this.#files(prefix, options.signal)) {
      if (isPartial(name)) yield { name, uploadId: name, sizeBytes: Number(stats.size) };
    }
  }

  abortUpload({ name }: UnfinishedUpload, options: { signal: AbortSignal }): Promise<void> {
    return this.delete(name, options);
  }

  delete(name: string, options: { signal: AbortSignal }): Promise<void> {
    return this.#translateErrors(name, async () => {
      options.signal.throwIfAborted();
      const path = await this.#folder.pathOf(name);
      try {
        await unlink(path);
        await syncFolder(dirname(path));
      } catch (error) {
        if (!isOneOf(error, ['ENOENT', 'ENOTDIR'])) throw error;
      }
      await this.#folder.removeEmptyParents(path);
    });
  }

  async *#files(prefix: string, signal: AbortSignal): ReturnType<typeof filesBelow> {
    try {
      for await (const file of filesBelow(this.#folder.path, prefix)) {
        signal.throwIfAborted();
        yield file;
      }
    } catch (error) {
      throw filesystemError(error, `the folder '${this.#folder.path}'`);
    }
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  /**
   * Writes and flushes a file beside `path`, then calls the function that `write` returns to give the file its name.
   * Returns its etag.
   */
  async #writeBeside(
    path: string,
    signal: AbortSignal,
    write: (file: FileHandle) => Promise<(partial: string) => Promise<void>>,
  ): Promise<string> {
    signal.throwIfAborted();
    const partial = join(dirname(path), partialPrefix + randomUUID());
    const file = await this.#createPartial(partial);
    try {
      let etag: string;
      let giveName: (partial: string) => Promise<void>;
      try {
        giveName = await write(file);
        await file.sync();
        etag = etagOf(await file.stat({ bigint: true }));
      } finally {
        await file.close();
      }
      signal.throwIfAborted();
      await giveName(partial);
      await syncFolder(dirname(path));
      return etag;
    } catch (error) {
      await unlink(partial).catch((left: unknown) => {
        if (!isOneOf(left, ['ENOENT'])) throw left;
      });
      await this.#folder.removeEmptyParents(partial);
      throw error;
    }
  }

  /** Tries again when a concurrent delete removes the new, still empty folder before the file is in it. */
  async #createPartial(partial: string): Promise<FileHandle> {
    try {
      for (let attempt = 1; ; attempt += 1) {
        await this.#folder.makeParents(partial);
        try {
          return await open(
            partial,
            constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW,
            0o600,
          );
        } catch (error) {
          if (attempt === 5 || !isOneOf(error, ['ENOENT'])) throw error;
        }
      }
    } catch (error) {
      // On a full disk some of the folders may have been created, but not the last one.
      if (systemCode(error) !== undefined) await this.#folder.removeEmptyParents(partial).catch(() => undefined);
      throw error;
    }
  }

  async #translateErrors<T>(name: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw filesystemError(error, `the file '${name}' in '${this.#folder.path}'`);
    }
  }
}

async function writeAll(file: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.byteLength;) at += (await file.write(bytes, at, bytes.byteLength - at)).bytesWritten;
}

async function linkOnlyIfNew(partial: string, path: string, name: string): Promise<void> {
  try {
    await link(partial, path);
  } catch (error) {
    if (!isOneOf(error, ['EEXIST'])) throw error;
    throw new StowageError('CONFLICT', `There is an object '${name}' already.`);
  }
  await unlink(partial);
}

function etagOf(stats: BigIntStats): string {
  return `${stats.size.toString(16)}-${stats.mtimeNs.toString(16)}`;
}

function missing(name: string, folder: string, cause: unknown): StowageError {
  return new StowageError('ENDPOINT_NOT_FOUND', `There is no file '${name}' in '${folder}'.`, {
    help: 'If it was deleted, restore from another backup.',
    cause,
  });
}

function changed(name: string): StowageError {
  return new StowageError('CHECKSUM', `The file '${name}' has changed since it was stored.`);
}
