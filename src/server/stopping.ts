import { StowageError } from '../errors.js';

/** Runs work that waits for the network. Throws UNAVAILABLE if the server stops meanwhile. */
export async function unlessStopping<Result>(stopping: AbortSignal, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    if (!stopping.aborted || error instanceof StowageError) throw error;
    throw new StowageError('UNAVAILABLE', 'The server is stopping and has interrupted this request.', { cause: error });
  }
}
