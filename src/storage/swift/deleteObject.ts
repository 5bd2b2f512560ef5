import { z } from 'zod';
import { StowageError } from '../../errors.js';
import { headObject } from './headObject.js';
import { drop, readJson } from '../http/httpClient.js';
import { objectNameOf, readManifest } from './manifest.js';
import { isPassing, statusError } from './statusErrors.js';
import type { SwiftConnection } from './swiftConnection.js';

/**
 * Removes an object, and before it the segments that its manifest names. A missing object is a success. If a manifest
 * names segments outside of the object's folder, it is a copy of another object's manifest. It is then removed without
 * the segments.
 */
export function deleteObject(connection: SwiftConnection, name: string, signal: AbortSignal): Promise<void> {
  return deleteWithin(connection, name, name.slice(0, name.lastIndexOf('/') + 1), signal);
}

/**
 * Swift deletes the segments of one manifest. It refuses an object with very many segments below other manifests
 * (Swift source, slo.py, "Too many buffered slo segments to delete"), so these manifests are deleted one by one. The
 * object itself goes last, because after an interruption only its manifest leads to the rest.
 */
async function deleteWithin(
  connection: SwiftConnection,
  name: string,
  folder: string,
  signal: AbortSignal,
): Promise<void> {
  const found = await headObject(connection, name, signal);
  if (found === undefined) return;
  const named = found.isLarge ? await namedWithin(connection, name, folder, signal) : undefined;
  if (named === undefined) return deleteAlone(connection, name, signal);
  const manifests = named.filter(({ isManifest }) => isManifest);
  if (manifests.length === 0) return deleteWithSegments(connection, name, signal);
  for (const manifest of manifests) await deleteWithin(connection, manifest.name, folder, signal);
  return deleteAlone(connection, name, signal);
}

/** What a manifest names. Undefined: it is unreadable, or names anything outside of the folder. */
async function namedWithin(
  connection: SwiftConnection,
  name: string,
  folder: string,
  signal: AbortSignal,
): Promise<readonly { readonly name: string; readonly isManifest: boolean }[] | undefined> {
  try {
    const named = (await readManifest(connection, name, signal)).map((entry) => ({
      name: objectNameOf(entry, connection),
      isManifest: entry.sub_slo === true,
    }));
    return named.every((each) => each.name.startsWith(folder)) ? named : undefined;
  } catch (error) {
    if (error instanceof StowageError && error.code === 'CHECKSUM') return undefined;
    throw error;
  }
}

async function deleteAlone(connection: SwiftConnection, name: string, signal: AbortSignal): Promise<void> {
  await connection.send(
    {
      method: 'DELETE',
      target: { object: name },
      signal,
      expected: [204, 404],
      doing: `delete the object '${name}' from`,
    },
    drop,
  );
}

const deletionAnswer = z.object({
  'Response Status': z.string(),
  Errors: z.array(z.tuple([z.string(), z.string()])).default([]),
});

async function deleteWithSegments(connection: SwiftConnection, name: string, signal: AbortSignal): Promise<void> {
  const doing = `delete the large object '${name}' from`;
  await connection.send(
    {
      method: 'DELETE',
      target: { object: name },
      query: { 'multipart-manifest': 'delete' },
      headers: { accept: 'application/json' },
      signal,
      expected: [200, 404],
      doing,
    },
    async (answer) => {
      if (answer.status === 404) return drop(answer);
      // The status is always 200. The text contains the result.
      const report = deletionAnswer.safeParse(await readJson(answer, 8 * 1024 * 1024));
      if (!report.success) {
        throw new StowageError(
          'ENDPOINT_UNREACHABLE',
          `Could not ${doing} ${connection.place}: its answer is unreadable.`,
        );
      }
      const status = Number(report.data['Response Status'].slice(0, 3));
      if (status === 200) return;
      const reasons = report.data.Errors.map(([path, why]) => `${path}: ${why}`).slice(0, 3);
      if (!isPassing(status)) throw statusError(status, doing, connection.place, reasons.join('; '));
      throw new StowageError('ENDPOINT_UNREACHABLE', `Could not ${doing} ${connection.place}: ${reasons.join('; ')}.`);
    },
  );
}
