import { ownSessionStatement, recordedAssignments, recordedSettings } from '../session/serverSettings.js';
import type { Session } from '../session/session.js';

/**
 * Runs `work` while the session computes expressions as the session of a restore does, with the settings of this server.
 * `work` gets the variables of each of its SELECTs. `rowModes` are the modes that the dump sets besides the usual ones. The clock is set to a day in the distant past, which shows whether a
 * value depends on the day.
 */
export async function computedAsRestored<T>(
  session: Session,
  work: (variables: Readonly<Record<string, string>>) => Promise<T>,
  rowModes: readonly string[] = [],
): Promise<T> {
  const { found, dialect } = session;
  const recorded = recordedAssignments(dialect.settings, found, recordedSettings(dialect.settings, found));
  const undo = () => session.query(ownSessionStatement(dialect.settings, found));
  // Literals in a definition have the default collation of the character set, which ours would not match (1267).
  await session.query(['SET NAMES utf8mb4', ...recorded].join(', '));
  try {
    const result = await work({ timestamp: '86400', sql_mode: `'${[modeOfRestore, ...rowModes].join(',')}'` });
    await undo();
    return result;
  } catch (error) {
    // The first error is the cause. The session may be closed.
    await undo().catch(() => undefined);
    throw error;
  }
}

/** The scanner of the dump adds the second one. */
const modeOfRestore = 'NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES';
