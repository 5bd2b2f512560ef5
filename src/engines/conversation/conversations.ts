import { startTurn } from '../process/startTurn.js';
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
  return new ConversationPool(driver, keepsSpare, tools);
}

class ConversationPool implements Conversations {
  readonly #ofLogins = new Map<string, Conversation>();
  readonly #all = new Set<Conversation>();
  #spare: Conversation | undefined;
  #spareTimer: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(
    private readonly driver: URL,
    private readonly keepsSpare: boolean,
    private readonly tools: typeof systemTools,
  ) {
    if (keepsSpare) this.#prepareSpare();
  }

  async connect(login: string, address: string, port: number, limits: LineLimits): Promise<Line> {
    if (this.#running(login) === undefined && this.#spare === undefined) await startTurn();
    if (this.#isClosed) throw new Error('The conversations are closed.');
    let conversation = this.#running(login);
    if (conversation === undefined) {
      limits.signal.throwIfAborted();
      conversation = this.#take();
      this.#ofLogins.set(login, conversation);
    }
    return await conversation.connect(address, port, limits);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#spareTimer);
    await Promise.all([...this.#all].map((conversation) => this.#end(conversation)));
  }

  #running(login: string): Conversation | undefined {
    const conversation = this.#ofLogins.get(login);
    return conversation?.hasEnded() === true ? undefined : conversation;
  }

  /** The spare process if it still runs, otherwise a new process. */
  #take(): Conversation {
    const spare = this.#spare;
    this.#spare = undefined;
    if (this.keepsSpare && !this.#isClosed) {
      clearTimeout(this.#spareTimer);
      this.#spareTimer = setTimeout(() => this.#prepareSpare(), nextSpareMs);
    }
    if (spare === undefined) return this.#start();
    if (!spare.hasEnded()) return spare;
    void this.#end(spare);
    return this.#start();
  }

  #prepareSpare(): void {
    try {
      if (!this.#isClosed && this.#spare === undefined) this.#spare = this.#start();
    } catch {
      // If this fails, the next conversation starts its own process, and reports the reason if that fails too.
    }
  }

  #start(): Conversation {
    let timer: NodeJS.Timeout | undefined;
    const conversation = startConversation(this.driver, this.tools, () => {
      clearTimeout(timer);
      timer = setTimeout(() => {
        if (conversation.lines() === 0) void this.#end(conversation);
      }, idleMs).unref();
    });
    this.#all.add(conversation);
    return conversation;
  }

  async #end(conversation: Conversation): Promise<void> {
    for (const [login, each] of this.#ofLogins) if (each === conversation) this.#ofLogins.delete(login);
    await conversation.end();
    this.#all.delete(conversation);
  }
}
