import { localPorts } from '../../process/localPorts.js';
import type { Session } from '../session/session.js';

/**
 * Finds the connection of a tool that runs on this machine, among all connections of its account. The connection has
 * the tool's local port, unless something translates addresses. Otherwise it is the only connection of the account that
 * runs a statement of a dump tool. Undefined: several connections run such a statement, or none.
 */
export async function findToolConnection(
  session: Session,
  tool: {
    readonly pid: number;
    readonly uid: number | undefined;
    readonly username: string;
    readonly serverPort: number;
  },
): Promise<string | undefined> {
  const ports = await localPorts(tool, tool.serverPort);
  if (ports.length === 0) return undefined;
  const rows = await session.query(
    `SELECT id AS id, SUBSTRING_INDEX(host, ':', -1) AS port, info LIKE ? AS dumps FROM information_schema.processlist
      WHERE id <> CONNECTION_ID() AND user = ?`,
    ['SELECT /*!40001 SQL_NO_CACHE */ %', tool.username],
  );
  const byPort = rows.filter((row) => ports.includes(Number(row['port'])));
  const found = byPort.length > 0 ? byPort : rows.filter((row) => row['dumps'] === '1');
  return found.length === 1 ? (found[0]?.['id'] ?? undefined) : undefined;
}
