import { StowageError } from '../../../errors.js';
import { hostList } from '../../hostList.js';
import type { ServiceConnection } from '../../serviceConnection.js';
import { openMember, type Session, type SessionOptions } from './session.js';

/** The members that the host of a service names. */
export function membersOf(connection: ServiceConnection): readonly ServiceConnection[] {
  return hostList(connection.host).map(({ host, port }) => ({ ...connection, host, port: port ?? connection.port }));
}

/** A secondary that is further behind the newest member is not read, if another member can be. */
const mostLagMs = 10_000;

/**
 * Opens a session at the member that suits the work. READ prefers a secondary that is up to date, so that a backup does
 * not slow down the primary. The session stays with this member: if another member becomes the primary, reading continues.
 * WRITE needs the primary. Throws SERVICE_UNREACHABLE if no member suits, and otherwise the error of the first member.
 */
export async function openSession(
  connection: ServiceConnection,
  purpose: 'READ' | 'WRITE',
  options: SessionOptions,
): Promise<Session> {
  const opened: Session[] = [];
  let failure: unknown;
  for (const member of membersOf(connection)) {
    try {
      opened.push(await openMember(member, options));
    } catch (error) {
      options.signal.throwIfAborted();
      failure ??= error;
    }
  }
  const chosen = purpose === 'WRITE' ? opened.find(isWritable) : bestToRead(opened);
  for (const session of opened) if (session !== chosen) session.close();
  if (chosen !== undefined) return chosen;
  const [first] = opened;
  throw first === undefined ? failure : notSuited(connection, first, purpose);
}

/** Opens a session for `work`, and always closes it. */
export async function withSession<T>(
  connection: ServiceConnection,
  purpose: 'READ' | 'WRITE',
  options: SessionOptions,
  work: (session: Session) => Promise<T>,
): Promise<T> {
  const session = await openSession(connection, purpose, options);
  try {
    return await work(session);
  } finally {
    session.close();
  }
}

function isWritable({ server }: Session): boolean {
  return server.kind === 'STANDALONE' || server.kind === 'MONGOS' || server.kind === 'PRIMARY';
}

function bestToRead(sessions: readonly Session[]): Session | undefined {
  const newest = Math.max(0, ...sessions.map(({ server }) => server.lastWriteMs ?? 0));
  const secondaries = sessions.filter(({ server }) => server.kind === 'SECONDARY');
  const isRecent = ({ server }: Session) => newest - (server.lastWriteMs ?? 0) <= mostLagMs;
  const others = sessions.filter(isWritable);
  return secondaries.find(isRecent) ?? others[0] ?? secondaries[0];
}

function notSuited({ host }: ServiceConnection, { server }: Session, purpose: 'READ' | 'WRITE'): StowageError {
  const known = server.primary === null ? '' : ` The primary is ${server.primary}.`;
  return purpose === 'WRITE'
    ? new StowageError('SERVICE_UNREACHABLE', `No host of '${host}' is the primary of its replica set.${known}`, {
        help: 'A restore needs the primary. Name all members of the replica set as the host of the service, separated by commas.',
      })
    : new StowageError(
        'SERVICE_UNREACHABLE',
        `No host of '${host}' can be read now: it is in a state like RECOVERING.`,
        {
          help: 'Wait until a member is PRIMARY or SECONDARY (rs.status()), or name more members as the host of the service.',
        },
      );
}
