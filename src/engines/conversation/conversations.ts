import { systemTools } from '../process/tools.js';
import { startConversation, type Conversation, type Line, type LineLimits } from './conversation.js';

/**
 * The processes that communicate with servers of one kind. Only lines to the same server with the same login share a
 * process, so that no server can read the memory of another server's conversation. A process without lines ends after a
 * second.
 */
export type Conversations = {
  /** Connects to an address. `login` identifies the account and the server. Throws the same errors as `Line`. */
  connect(login: string, address: string, port: number, limits: LineLimits): Promise<Line>;
  /** Ends all processes. Open lines break. */
  close(): Promise<void>;
};

const idleMs = 1_000;
/**
 * The pause between the use of a spare process and the start of the next one. It keeps the start from slowing down the
 * job.
 */
const nextSpareMs = 2_000;

/**
 * `driver` is the URL of the driver's module. With `keepsSpare` a process is started in advance, so that no job waits for
 * its start; then the caller must call `close`.
 */
export function createConversations(driver: URL, { keepsSpare = false, tools = systemTools } = {}): Conversations {
  const running = new Map<string, Conversation>();
  const all = new Set<Conversation>();
  let spare: Conversation | undefined;
  let spareTimer: NodeJS.Timeout | undefined;
  let isClosed = false;

  const start = (): Conversation => {
    let timer: NodeJS.Timeout | undefined;
    const conversation = startConversation(driver, tools, () => {
      clearTimeout(timer);
      timer = setTimeout(() => {
        if (conversation.lines() === 0) void end(conversation);
      }, idleMs).unref();
    });
    all.add(conversation);
    return conversation;
  };
  const end = async (conversation: Conversation) => {
    for (const [login, each] of running) if (each === conversation) running.delete(login);
    await conversation.end();
    all.delete(conversation);
  };
  const prepareSpare = () => {
    try {
      if (!isClosed && spare === undefined) spare = start();
    } catch {
      // If this fails, the next conversation starts its own process, and reports the reason if that fails too.
    }
  };
  const take = (): Conversation => {
    const taken = spare;
    spare = undefined;
    if (keepsSpare && !isClosed) {
      clearTimeout(spareTimer);
      spareTimer = setTimeout(prepareSpare, nextSpareMs);
    }
    if (taken === undefined) return start();
    if (!taken.hasEnded()) return taken;
    void end(taken);
    return start();
  };
  if (keepsSpare) prepareSpare();

  return {
    async connect(login, address, port, limits) {
      if (isClosed) throw new Error('The conversations are closed.');
      let conversation = running.get(login);
      if (conversation === undefined || conversation.hasEnded()) {
        conversation = take();
        running.set(login, conversation);
      }
      return await conversation.connect(address, port, limits);
    },
    async close() {
      isClosed = true;
      clearTimeout(spareTimer);
      await Promise.all([...all].map(end));
    },
  };
}
