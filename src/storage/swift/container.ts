import { StowageError } from '../../errors.js';
import { headContainer, type ContainerInfo } from './headObject.js';
import { drop } from '../http/httpClient.js';
import type { SwiftConnection } from './swiftConnection.js';

/** Makes the container if it is not there. Who may write into it but not make one is not asked to make it. */
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

/** Removes the container if it is empty; one that holds anything, or that is gone, stays as it is. */
export async function removeEmptyContainer(connection: SwiftConnection, signal: AbortSignal): Promise<boolean> {
  return connection.send(
    { method: 'DELETE', target: 'container', signal, expected: [204, 404, 409], doing: 'remove' },
    async (answer) => {
      await drop(answer);
      return answer.status !== 409;
    },
  );
}
