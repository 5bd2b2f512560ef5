import { z } from 'zod';
import { StowageError } from '../../errors.js';
import { drop, readJson } from '../http/httpClient.js';
import type { SwiftConnection } from './swiftConnection.js';

export type LargeObjectLimits = { readonly maxSegments: number; readonly maxSegmentBytes: number };

/** What Swift allows where nobody has set anything else. */
const usual: LargeObjectLimits = { maxSegments: 1000, maxSegmentBytes: 5 * 1024 ** 3 };

/** Where a cluster keeps `/info` to itself the usual limits are taken. */
export async function largeObjectLimits(connection: SwiftConnection, signal: AbortSignal): Promise<LargeObjectLimits> {
  const info = await readInfo(connection, signal);
  if (info === undefined) return usual;
  if (info.slo === undefined) {
    throw new StowageError(
      'ENDPOINT_NOT_FOUND',
      `The storage of ${connection.place} offers no static large objects, which backups need.`,
      { help: 'Have the `slo` middleware switched on, or use another object storage.' },
    );
  }
  return {
    maxSegments: info.slo.max_manifest_segments ?? usual.maxSegments,
    maxSegmentBytes: info.swift?.max_file_size ?? usual.maxSegmentBytes,
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
