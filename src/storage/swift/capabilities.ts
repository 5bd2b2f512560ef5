import { z } from 'zod';
import { StowageError } from '../../errors.js';
import { drop, readJson } from '../http/httpClient.js';
import type { SwiftConnection } from './swiftConnection.js';

export type LargeObjectLimits = {
  /** Of one object, through manifests that name manifests. */
  readonly maxSegments: number;
  readonly maxSegmentBytes: number;
  /** The most names in one manifest. */
  readonly maxManifestSegments: number;
};

/** backup.json lists every segment, and is read as a whole. So many segments take about 70 MB of it. */
export const mostSegments = 500_000;

/** Swift follows manifests that name manifests ten times (Swift source, slo.py, max_slo_recursion_depth). */
const mostLevels = 5;

/** Swift's default configuration. */
const defaults = { maxManifestSegments: 1000, maxSegmentBytes: 5 * 1024 ** 3 };

/** Returns the default limits for a cluster that does not publish `/info`. */
export async function largeObjectLimits(connection: SwiftConnection, signal: AbortSignal): Promise<LargeObjectLimits> {
  const info = await readInfo(connection, signal);
  if (info !== undefined && info.slo === undefined) {
    throw new StowageError(
      'ENDPOINT_NOT_FOUND',
      `The storage of ${connection.place} does not support static large objects, which backups need.`,
      { help: 'Ask the operator of the storage to enable the `slo` middleware, or use another object storage.' },
    );
  }
  const maxManifestSegments = info?.slo?.max_manifest_segments ?? defaults.maxManifestSegments;
  return {
    maxSegments: Math.min(mostSegments, maxManifestSegments ** mostLevels),
    maxSegmentBytes: info?.swift?.max_file_size ?? defaults.maxSegmentBytes,
    maxManifestSegments,
  };
}

const infoAnswer = z.object({
  swift: z.object({ max_file_size: z.number().int().positive().optional() }).optional(),
  slo: z.object({ max_manifest_segments: z.number().int().positive().optional() }).optional(),
});

async function readInfo(
  connection: SwiftConnection,
  signal: AbortSignal,
): Promise<z.infer<typeof infoAnswer> | undefined> {
  return connection.send(
    {
      method: 'GET',
      target: 'info',
      signal,
      expected: [200, 400, 401, 403, 404, 405, 412],
      doing: 'read the limits of',
    },
    async (answer) => {
      if (answer.status !== 200) {
        await drop(answer);
        return undefined;
      }
      const info = infoAnswer.safeParse(await readJson(answer, 1024 * 1024));
      return info.success ? info.data : undefined;
    },
  );
}
