import { setTimeout as wait } from 'node:timers/promises';
import type { StowageError } from '../../../errors.js';
import type { EngineContext } from '../../engineContext.js';
import type { Conversations } from '../../conversation/conversations.js';
import type { ServiceConnection } from '../../serviceConnection.js';
import { localPorts } from '../../process/localPorts.js';
import { watchLocks, type LockWatch } from './lockWatch.js';
import type { ServerAddress } from '../../network/serverAddress.js';
import type { ServerDialect } from '../session/serverDialect.js';
import { openSessionAt, type Session } from '../session/session.js';
import { findToolConnection } from './toolConnection.js';

const connectTimeoutMs = 10_000;

/**
 * Watches the locks of a running tool, through a session of its own to the address that the tool is connected to.
 * `findTool` replaces the search by port.
 */
export function watchToolLocks(
  what: string,
  tool: {
    readonly connection: ServiceConnection;
    readonly server: ServerAddress;
    readonly pid: number | undefined;
    readonly uid: number | undefined;
    readonly findTool?: (session: Session) => Promise<string | undefined>;
    /** See `LockWatchOptions`. */
    readonly nextStep?: string;
    readonly conversations: Conversations;
    readonly dialect: ServerDialect;
  },
  context: Pick<EngineContext, 'lockPatienceMs' | 'lockWaitMs'>,
  onBusy: (error: StowageError) => void,
): LockWatch {
  const { connection, server, pid, uid, conversations, dialect } = tool;
  const { lockPatienceMs: patienceMs = null, lockWaitMs: ownWaitMs = null } = context;
  if (pid === undefined || (patienceMs === null && ownWaitMs === null)) return { stop: () => Promise.resolve([]) };
  const known = { pid, uid, username: connection.username ?? '', serverPort: connection.port };
  return watchLocks({
    ...{ what, patienceMs, ownWaitMs, onBusy },
    ...(tool.nextStep === undefined ? {} : { nextStep: tool.nextStep }),
    findTool: tool.findTool ?? ((session) => findToolConnection(session, known)),
    connect: async (signal, watch) => {
      await untilConnected(known, signal);
      const session = await openSessionAt(connection, [server], { signal, connectTimeoutMs, conversations, dialect });
      try {
        return await watch(session);
      } finally {
        session.close();
      }
    },
  });
}

/** The account may have few connections, so the tool connects first. If its port cannot be seen, it gets 2 s. */
async function untilConnected(
  tool: { readonly pid: number; readonly uid: number | undefined; readonly serverPort: number },
  signal: AbortSignal,
): Promise<void> {
  const until = performance.now() + 2_000;
  const hasPort = async () => (await localPorts(tool, tool.serverPort)).length > 0;
  while (performance.now() < until && !signal.aborted && !(await hasPort())) await wait(20);
}
