import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { startWholeApi, type WholeApi } from '../../../test/fixtures/api/wholeApi.js';
import { describeWith } from '../../../test/fixtures/requirements.js';
import { postgresMissing } from '../../../test/fixtures/servers/postgres.js';
import { settleProject } from '../../../test/fixtures/settledProject.js';

describeWith({ postgresql: await postgresMissing() }, 'the effective timeout of a plan', () => {
  let api: WholeApi;
  beforeAll(async () => {
    api = await startWholeApi();
  });
  afterAll(() => api.stop());

  test('follows from its successes once there are three, until the plan sets one', async () => {
    // Nothing is ever sent to port 9.
    const { planId } = await settleProject(api, 'Amsterdam', 9);
    const { dataSource } = api.shared;
    const timeout = async () => {
      const { data, errors } = await api.post(
        'query ($id: ID!) { backupPlan(id: $id) { effectiveTimeout { value source } } }',
        { id: planId },
      );
      expect(errors).toEqual([]);
      return (data as { backupPlan: { effectiveTimeout: object | null } }).backupPlan.effectiveTimeout;
    };
    /** Sets how many successes the plan has. Each one took this time. */
    const succeed = async (count: number, interval: string) => {
      for (let n = 0; n < count; n += 1) {
        await dataSource.query(
          `INSERT INTO backup_jobs SELECT copy.* FROM (SELECT * FROM backup_jobs LIMIT 1) job,
             LATERAL jsonb_populate_record(NULL::backup_jobs, to_jsonb(job) || jsonb_build_object('id', $1::text,
               'plan_id', $2::text, 'status', 'SUCCEEDED', 'started_at', now(), 'finished_at', now() + $3::interval)) copy`,
          [randomUUID(), planId, interval],
        );
      }
    };
    await dataSource.query("UPDATE backup_jobs SET status = 'FAILED' WHERE status = 'SUCCEEDED'");
    await succeed(2, '1 minute');
    await expect(timeout()).resolves.toBeNull();
    await succeed(1, '1 minute');
    await expect(timeout()).resolves.toEqual({ value: 'P1D', source: 'HISTORY' });
    await dataSource.query(
      "UPDATE backup_jobs SET finished_at = started_at + interval '5 hours' WHERE status = 'SUCCEEDED'",
    );
    await expect(timeout()).resolves.toEqual({ value: 'P2DT2H', source: 'HISTORY' });
    await dataSource.query('UPDATE backup_plans SET timeout_ms = 3600000 WHERE id = $1', [planId]);
    await expect(timeout()).resolves.toEqual({ value: 'PT1H', source: 'PLAN' });
  });
});
