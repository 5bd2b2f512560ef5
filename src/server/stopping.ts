import { StowageError } from '../errors.js';

/** Runs what waits for the network; when the server's stop cut it off, that is UNAVAILABLE and no defect. */
export async function unlessStopping<Result>(stopping: AbortSignal, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    if (!stopping.aborted || error instanceof StowageError) throw error;
    throw new StowageError('UNAVAILABLE', 'The server is stopping and cut this off.', { cause: error });
  }
}
