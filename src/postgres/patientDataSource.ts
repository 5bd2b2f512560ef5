import { DataSource, type QueryRunner } from 'typeorm';
import { pauseToRepeat, waitSettled } from './patience.js';
import { isOutage, outageAsUnavailable, sqlRefusal } from './sqlErrors.js';

/**
 * A data source whose statements throw UNAVAILABLE while PostgreSQL cannot be reached. A statement that only reads,
 * outside a transaction, is repeated on another connection until the time limit of its request.
 */
export class PatientDataSource extends DataSource {
  override createQueryRunner(mode?: 'master' | 'slave'): QueryRunner {
    const runner = super.createQueryRunner(mode);
    const send = runner.query.bind(runner) as Query;
    const patient: Query = async (sql, parameters, structured) => {
      try {
        return await settled(send(sql, parameters, structured));
      } catch (error) {
        if (!isOutage(error) || runner.isTransactionActive || !onlyReads(sql)) throw error;
        return this.#repeat(sql, parameters, structured, error);
      }
    };
    runner.query = patient as QueryRunner['query'];
    return runner;
  }

  async #repeat(sql: string, parameters: unknown, structured: unknown, first: unknown): Promise<unknown> {
    let failure = first;
    for (let failures = 1; await pauseToRepeat(failures); failures += 1) {
      const runner = super.createQueryRunner();
      try {
        return await settled((runner.query.bind(runner) as Query)(sql, parameters, structured));
      } catch (error) {
        if (!isOutage(error)) throw error;
        failure = error;
      } finally {
        await runner.release();
      }
    }
    throw failure;
  }
}

type Query = (sql: string, parameters?: unknown, structured?: unknown) => Promise<unknown>;

async function settled(query: Promise<unknown>): Promise<unknown> {
  const began = performance.now();
  try {
    const answer = await query;
    waitSettled(began, true);
    return answer;
  } catch (error) {
    const shown = outageAsUnavailable(error);
    if (isOutage(shown)) waitSettled(began, false);
    else if (sqlRefusal(error) !== undefined) waitSettled(began, true);
    throw shown;
  }
}

/** Whether a statement may be sent twice. A statement that this does not recognize is not repeated. */
function onlyReads(sql: string): boolean {
  return (
    /^\s*(SELECT|WITH)\b/i.test(sql) &&
    !/\b(INSERT|UPDATE|DELETE|MERGE|append_events|nextval|setval|pg_notify|pg_\w*advisory\w*)\b/i.test(sql)
  );
}
