import { z } from 'zod';

const bytes = z.number().int().nonnegative();
const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
/** Because of `exactOptionalPropertyTypes` an absent field is omitted, and not undefined. */
type Present<T> = { [K in keyof T as undefined extends T[K] ? never : K]: T[K] } & {
  [K in keyof T as undefined extends T[K] ? K : never]?: Exclude<T[K], undefined>;
};

function present<T extends object>(value: T): Present<T> {
  return Object.fromEntries(Object.entries(value).filter(([, each]) => each !== undefined)) as Present<T>;
}

const pieceOfObject = { sizeBytes: bytes, etag: z.string().optional() };
const segment = z.union([
  z.object({ ...pieceOfObject, sha256FromStart: sha256 }).transform(present),
  z.object({ ...pieceOfObject, sha256 }).transform(present),
]);

/** People choose the keys, and z.record would omit the key `__proto__`. */
function byName<T extends z.ZodType>(value: T) {
  return z
    .preprocess((all) => (isObject(all) ? Object.entries(all) : all), z.array(z.tuple([z.string(), value])))
    .transform((entries) => Object.fromEntries(entries) as Record<string, z.output<T>>);
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const definition = z.object({ hash: sha256, parts: z.record(z.string(), z.string()).optional() }).transform(present);

const changes = z.object({
  since: z.string(),
  sentence: z.string(),
  fell: z.boolean(),
  rowsBefore: z.number(),
  rowsAfter: z.number(),
  rowsEstimated: z.boolean(),
  items: z.array(
    z.object({
      database: z.string(),
      kind: z.string(),
      name: z.string(),
      change: z.enum(['GONE', 'NEW', 'CHANGED']),
      rowsBefore: z.number().nullable(),
      rowsAfter: z.number().nullable(),
      rowsEstimated: z.boolean(),
      definitionChanged: z.boolean(),
    }),
  ),
  moreItems: z.number(),
});

/** Every version of backup.json that was ever written. An absent field is omitted, and not undefined. */
export const backupDocumentSchema = z
  .object({
    format: z.literal('stowage-backup'),
    formatVersion: z.union([z.literal(1), z.literal(2), z.literal(3), z.literal(4), z.literal(5)]),
    engine: z.string().min(1),
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
    compression: z.literal('zstd').optional(),
    parts: z
      .array(
        z
          .object({
            name: z.string(),
            extension: z.string(),
            databases: z.array(z.string()).optional(),
            replay: z.literal(false).optional(),
            objectName: z.string(),
            steps: z.array(z.string()).optional(),
            sizeBytes: bytes,
            storedSizeBytes: bytes,
            checksum: sha256,
            etag: z.string(),
            segments: z.array(segment),
            manifestBytes: bytes.optional(),
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
        accounts: z.object({ users: z.array(z.string()), roles: z.array(z.string()) }).optional(),
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
              definitions: z.record(z.string(), byName(definition)).optional(),
              needs: z.record(z.string(), z.array(z.string())).optional(),
              grantees: z.array(z.string()).optional(),
            })
            .transform(present),
        ),
      })
      .transform(present),
    warnings: z.array(z.string()),
    sizeBytes: bytes,
    storedSizeBytes: bytes,
    changes: changes.optional(),
    finishedAt: z.iso.datetime({ offset: true }).optional(),
    restoreByHand: z.array(z.string()),
  })
  .transform(present);
