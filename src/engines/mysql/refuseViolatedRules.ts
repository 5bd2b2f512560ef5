import { StowageError } from '../../errors.js';
import { isOutOfRange, refuseOutOfRange } from '../mysqlFamily/checks/computedAnew.js';
import { listed } from '../mysqlFamily/checks/listed.js';
import { computedAsRestored } from '../mysqlFamily/checks/restoredValues.js';
import { noTime, searchRows } from '../mysqlFamily/checks/searchRows.js';
import { sessionDependence } from '../mysqlFamily/checks/sessionDependence.js';
import { enforcedCheck, uniqueKeyOfExpressions } from '../mysqlFamily/definitions/expressions.js';
import type { Definitions } from '../mysqlFamily/definitions/readDefinitions.js';
import { quoteName } from '../mysqlFamily/privileges/grants.js';
import type { Session } from '../mysqlFamily/session/serverDialect.js';

/** The time limit for searching all tables together. */
const budgetMs = 20_000;

/** A CHECK, or a unique key with expressions. `violation` is the end of a SELECT that finds rows that a restore refuses. */
type Rule = { readonly table: string; readonly name: string; readonly why: string; readonly violation: string };

/**
 * Throws TOOL_FAILED if rows violate a CHECK or a unique key in the session of a restore, whose time zone is UTC: no server
 * can restore them. Unlike MariaDB, MySQL has no setting that switches CHECKs off. Returns sentences that name what was not
 * searched.
 */
export async function refuseViolatedRules(session: Session, definitions: Definitions): Promise<readonly string[]> {
  const rules = rulesOf(session, definitions);
  if (rules.length === 0) return [];
  return computedAsRestored(session, async (settings) => {
    const until = performance.now() + budgetMs;
    const unsure: string[] = [];
    for (const { table, name, why, violation } of rules) {
      const select = `SELECT 1 AS found FROM ${table} ${violation} LIMIT 1`;
      const found = performance.now() < until ? await searchRows(session, select, settings) : noTime;
      const shown = `${table.replaceAll('`', '')}.${name}`;
      if (isOutOfRange(found)) refuseOutOfRange(table.replaceAll('`', ''), name);
      if (typeof found === 'object') unsure.push(`${shown} (${found.unknown})`);
      if (found !== true) continue;
      throw new StowageError(
        'TOOL_FAILED',
        `A dump of ${table.replaceAll('`', '')} cannot be restored: ${why} '${name}' in the session of a restore, which has the time zone UTC.`,
        {
          help: 'Write the expression so that its value is the same in every session (a DATETIME instead of a TIMESTAMP), or drop it; then start the backup again.',
          details: { table, rule: name },
        },
      );
    }
    return listed(unsure, 'These checks and unique keys were not searched for rows that a restore refuses');
  });
}

function rulesOf(session: Session, definitions: Definitions): readonly Rule[] {
  const { expressions } = session.dialect;
  return [...definitions].flatMap(([database, { tables }]) =>
    [...tables].flatMap(([name, { parts }]) => {
      const table = `${quoteName(database)}.${quoteName(name)}`;
      const all = [...parts].flatMap(([part, text]) => ruleOf(table, part, text));
      if (all.length === 0) return [];
      const { depends } = sessionDependence(parts, expressions);
      return all.filter(({ expression }) => depends(expression));
    }),
  );
}

function ruleOf(table: string, part: string, text: string): readonly (Rule & { readonly expression: string })[] {
  const check = part.startsWith('check ') ? enforcedCheck(text) : undefined;
  if (check !== undefined) {
    const name = part.slice('check '.length);
    return [{ table, name, why: 'its rows violate the CHECK', violation: `WHERE NOT (${check})`, expression: check }];
  }
  const key = part.startsWith('index ') ? uniqueKeyOfExpressions(text) : undefined;
  if (key === undefined) return [];
  const present = key.map((each) => `${each} IS NOT NULL`).join(' AND ');
  const violation = `WHERE ${present} GROUP BY ${key.join(', ')} HAVING COUNT(*) > 1`;
  const [name, why] = [part.slice('index '.length), 'values become equal in the unique key'];
  return [{ table, name, why, violation, expression: key.join(', ') }];
}
