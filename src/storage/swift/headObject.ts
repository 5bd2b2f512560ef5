import type { ObjectInfo } from '../storage.js';
import { bareEtag } from './etags.js';
import { drop } from '../http/httpClient.js';
import type { SwiftConnection } from './swiftConnection.js';

/** Undefined: the container exists, but the object does not. Throws ENDPOINT_NOT_FOUND for a missing container. */
export async function headObject(
  connection: SwiftConnection,
  name: string,
  signal: AbortSignal,
): Promise<(ObjectInfo & { readonly isLarge: boolean }) | undefined> {
  const found = await connection.send(
    {
      method: 'HEAD',
      target: { object: name },
      signal,
      expected: [200, 404],
      doing: `check the object '${name}' in`,
    },
    async (answer) => {
      await drop(answer);
      if (answer.status === 404) return undefined;
      return {
        name,
        sizeBytes: Number(answer.header('content-length')),
        etag: bareEtag(answer.header('etag')),
        isLarge: answer.header('x-static-large-object').toLowerCase() === 'true',
      };
    },
  );
  if (found === undefined) await headContainer(connection, signal);
  return found;
}

export type ContainerInfo = {
  readonly objects: number;
  readonly usedBytes: number;
  /** Undefined: no quota is set, or Swift does not show it. */
  readonly quotaBytes: number | undefined;
};

/** Throws ENDPOINT_NOT_FOUND if the container does not exist. */
export function headContainer(connection: SwiftConnection, signal: AbortSignal): Promise<ContainerInfo> {
  return connection.send(
    { method: 'HEAD', target: 'container', signal, expected: [200, 204], doing: 'check' },
    async (answer) => {
      await drop(answer);
      const quota = answer.header('x-container-meta-quota-bytes');
      return {
        objects: Number(answer.header('x-container-object-count')),
        usedBytes: Number(answer.header('x-container-bytes-used')),
        quotaBytes: /^\d+$/.test(quota) ? Number(quota) : undefined,
      };
    },
  );
}
