import { StowageError } from '../errors.js';

/** Runs work that waits for the network. If the stop of the server interrupts it, it throws UNAVAILABLE. */
export async function unlessStopping<Result>(stopping: AbortSignal, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    if (!stopping.aborted || error instanceof StowageError) throw error;
    throw new StowageError('UNAVAILABLE', 'The server is stopping and cut this off.', { cause: error });
  }
}
