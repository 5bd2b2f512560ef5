import { StowageError } from '../../errors.js';
import { headContainer, type ContainerInfo } from './headObject.js';
import { drop } from '../http/httpClient.js';
import type { SwiftConnection } from './swiftConnection.js';

/** Checks first whether the container exists, because some users may write into a container and may not create one. */
export async function ensureContainer(
  connection: SwiftConnection,
  signal: AbortSignal,
): Promise<ContainerInfo & { readonly created: boolean }> {
  try {
    return { ...(await headContainer(connection, signal)), created: false };
  } catch (error) {
    if (!(error instanceof StowageError) || error.code !== 'ENDPOINT_NOT_FOUND') throw error;
    if (error.details['status'] !== 404) throw error;
  }
  await connection.send({ method: 'PUT', target: 'container', signal, expected: [201, 202], doing: 'create' }, drop);
  return { ...(await headContainer(connection, signal)), created: true };
}

/**
 * Removes the container if it is empty. Returns false if it is not empty. A container that does not exist counts as
 * removed.
 */
export async function removeEmptyContainer(connection: SwiftConnection, signal: AbortSignal): Promise<boolean> {
  return connection.send(
    { method: 'DELETE', target: 'container', signal, expected: [204, 404, 409], doing: 'remove' },
    async (answer) => {
      await drop(answer);
      return answer.status !== 409;
    },
  );
}
