import { localPorts } from '../../process/localPorts.js';
import type { Session } from '../session/session.js';

/**
 * The connection of a tool that this machine runs, among all of its account. Both ends of a connection see the port that
 * it comes from, unless something between them translates addresses: then it is the only one of the account that runs
 * what a dump tool runs, and where several do, or none, it stays unknown.
 */
export async function findToolConnection(
  session: Session,
  tool: { readonly pid: number; readonly username: string; readonly serverPort: number },
): Promise<string | undefined> {
  const ports = await localPorts(tool.pid, tool.serverPort);
  if (ports.length === 0) return undefined;
  const rows = await session.query(
    `SELECT id, SUBSTRING_INDEX(host, ':', -1) AS port, info LIKE ? AS dumps FROM information_schema.processlist
      WHERE id <> CONNECTION_ID() AND user = ?`,
    ['SELECT /*!40001 SQL_NO_CACHE */ %', tool.username],
  );
  const byPort = rows.filter((row) => ports.includes(Number(row['port'])));
  const found = byPort.length > 0 ? byPort : rows.filter((row) => row['dumps'] === '1');
  return found.length === 1 ? (found[0]?.['id'] ?? undefined) : undefined;
}
