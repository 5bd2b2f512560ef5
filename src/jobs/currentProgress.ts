import type { Telemetry } from '../postgres/contracts/telemetry.js';
import { ProgressType } from './attemptType.js';

/** The progress of the running attempts of these jobs. Null for a job that is not running. */
export async function currentProgress(
  telemetry: Pick<Telemetry, 'latest'>,
  jobs: readonly { readonly id: string; readonly status: string; readonly attempt: number }[],
): Promise<readonly (ProgressType | null)[]> {
  const running = jobs.filter(({ status }) => status === 'RUNNING').map(({ id }) => id);
  const latest = running.length === 0 ? undefined : await telemetry.latest(running);
  return jobs.map(({ id, status, attempt }) => {
    const progress = latest?.get(id);
    return status === 'RUNNING' && progress?.attempt === attempt ? ProgressType.of(progress) : null;
  });
}
