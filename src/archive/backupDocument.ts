import { buffer } from 'node:stream/consumers';
import { z } from 'zod';
import type { EngineName } from '../engines/engine.js';
import type { Inventory } from '../engines/inventory.js';
import { StowageError } from '../errors.js';
import type { Storage } from '../storage/storage.js';
import type { ArchivePart, BackupDescription } from './archive.js';
import { backupDocumentName } from './layout.js';

/**
 * backup.json: all that is needed to list, check and restore a backup with nothing but the container. It holds no
 * secret and no address of the database server. Later versions read every `formatVersion` that was ever written.
 */
export type BackupDocument = {
  readonly format: 'stowage-backup';
  /**
   * 2: dumped with the connection character set that each part names, where it does; the inventory may hold definitions.
   * 1: always utf8mb4.
   */
  readonly formatVersion: 1 | 2;
  readonly engine: EngineName;
  readonly description: BackupDescription;
  readonly compression: 'zstd';
  readonly parts: readonly ArchivePart[];
  readonly inventory: Inventory;
  readonly warnings: readonly string[];
  readonly sizeBytes: number;
  readonly storedSizeBytes: number;
  /** ISO 8601: when all but this document was stored and verified. Absent in the first that were written. */
  readonly finishedAt?: string;
  /** For a person: the lines that restore it without Stowage. */
  readonly restoreByHand: readonly string[];
};

const bytes = z.number().int().nonnegative();
const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const segment = z
  .object({ sizeBytes: bytes, sha256, etag: z.string().optional() })
  .transform(({ etag, ...rest }) => ({ ...rest, ...(etag === undefined ? {} : { etag }) }));

/** As the types say it: an absent field is left out, and not undefined. */
type Present<T> = { [K in keyof T as undefined extends T[K] ? never : K]: T[K] } & {
  [K in keyof T as undefined extends T[K] ? K : never]?: Exclude<T[K], undefined>;
};

function present<T extends object>(value: T): Present<T> {
  return Object.fromEntries(Object.entries(value).filter(([, each]) => each !== undefined)) as Present<T>;
}

const definition = z.object({ hash: sha256, parts: z.record(z.string(), z.string()).optional() }).transform(present);

const document = z.object({
  format: z.literal('stowage-backup'),
  formatVersion: z.union([z.literal(1), z.literal(2)]),
  engine: z.enum(['MARIADB', 'MYSQL', 'POSTGRESQL', 'MONGODB']),
  description: z.object({
    installationId: z.string(),
    projectId: z.string(),
    serviceId: z.string(),
    serviceName: z.string(),
    planId: z.string().nullable(),
    jobId: z.string(),
    batchId: z.string(),
    attempt: z.number().int().positive(),
    trigger: z.string(),
    startedAt: z.iso.datetime({ offset: true }),
  }),
  compression: z.literal('zstd'),
  parts: z
    .array(
      z
        .object({
          name: z.string(),
          extension: z.string(),
          objectName: z.string(),
          sizeBytes: bytes,
          storedSizeBytes: bytes,
          checksum: sha256,
          etag: z.string(),
          segments: z.array(segment),
          restoreByHand: z.string(),
          restoreByHandNeeds: z.string().optional(),
          characterSet: z.string().optional(),
          tool: z.object({ name: z.string(), version: z.string() }).optional(),
          longestStatementBytes: bytes.optional(),
        })
        .transform(present),
    )
    .min(1),
  inventory: z
    .object({
      serverVersion: z.string(),
      toolVersion: z.string(),
      sizeBytes: z.number().nullable(),
      nameCase: z.enum(['DISTINCT', 'FOLDED']).optional(),
      settings: z.record(z.string(), z.string()).optional(),
      definitionsTaken: z.object({ normalisation: z.number(), server: z.string() }).optional(),
      databases: z.array(
        z
          .object({
            name: z.string(),
            tables: z.array(
              z
                .object({
                  name: z.string(),
                  rows: z.number().nullable(),
                  rowsEstimated: z.boolean(),
                  sizeBytes: z.number().nullable(),
                  type: z.string().optional(),
                  engine: z.string().optional(),
                  rowFormat: z.string().optional(),
                  collation: z.string().optional(),
                  definition: definition.optional(),
                })
                .transform(present),
            ),
            objects: z.record(z.string(), z.array(z.string())),
            properties: z.record(z.string(), z.string()),
            largestRowBytes: z.number().optional(),
            definitions: z.record(z.string(), z.record(z.string(), definition)).optional(),
            needs: z.record(z.string(), z.array(z.string())).optional(),
          })
          .transform(present),
      ),
    })
    .transform(present),
  warnings: z.array(z.string()),
  sizeBytes: bytes,
  storedSizeBytes: bytes,
  finishedAt: z.iso.datetime({ offset: true }).optional(),
  restoreByHand: z.array(z.string()),
});

/** Far more than a server with a million tables needs; what is larger is not read into memory. */
const largestDocumentBytes = 256 * 1024 * 1024;

/** Indented, for people read it too. */
export function serializeBackupDocument(backup: BackupDocument): Uint8Array {
  return Buffer.from(`${JSON.stringify(backup, null, 2)}\n`, 'utf8');
}

/** Throws CHECKSUM, saying what is wrong, when the text is not a complete backup.json that this version knows. */
function parseBackupDocument(text: Uint8Array, name: string): BackupDocument {
  let json: unknown;
  try {
    json = JSON.parse(Buffer.from(text).toString('utf8'));
  } catch (error) {
    throw unreadable(name, 'it is not JSON', error);
  }
  const parsed = document.safeParse(json);
  if (parsed.success) {
    const { finishedAt, ...rest } = parsed.data;
    return { ...rest, ...(finishedAt === undefined ? {} : { finishedAt }) };
  }
  const [issue] = parsed.error.issues;
  throw unreadable(name, issue === undefined ? 'it has another shape' : `${issue.path.join('.')}: ${issue.message}`);
}

/** Undefined: the storage answers, and there is none in this folder. Throws CHECKSUM for one that cannot be read. */
export async function readBackupDocument(
  storage: Storage,
  folder: string,
  options: { readonly signal?: AbortSignal } = {},
): Promise<BackupDocument | undefined> {
  const signal = options.signal ?? new AbortController().signal;
  const name = `${folder}${backupDocumentName}`;
  const info = await storage.head(name, { signal });
  if (info === undefined) return undefined;
  if (info.sizeBytes > largestDocumentBytes) throw unreadable(name, `it has ${info.sizeBytes} bytes`);
  return parseBackupDocument(await buffer(storage.get(name, { signal, etag: info.etag })), name);
}

function unreadable(name: string, why: string, cause?: unknown): StowageError {
  return new StowageError('CHECKSUM', `'${name}' is not a backup document that this version can read: ${why}.`, {
    help: 'If a newer version of Stowage wrote it, use that one. Else the object was damaged or made by something else.',
    retriable: false,
    cause,
  });
}
