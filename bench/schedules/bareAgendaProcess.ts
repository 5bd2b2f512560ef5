import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

export type BareOrder = {
  readonly alarms: readonly { readonly id: string; readonly atMs: number }[];
  /** How many alarms are written to the store at the same time. */
  readonly parallel: number;
};
export type BareAnswer =
  { readonly ready: true } | { readonly set: number } | { readonly rang: string; readonly atMs: number };

export type BareAgenda = {
  readonly pid: number;
  /** When each alarm fired, by its id. An alarm that fired twice has two times. */
  readonly rang: ReadonlyMap<string, readonly number[]>;
  /** Resolves when all alarms are in the store. */
  set(order: BareOrder): Promise<void>;
  stop(): Promise<void>;
};

/**
 * Starts Agenda alone in a separate process, with the store at this URL. By default it polls as often as the alarm
 * clock.
 */
export async function startBareAgenda(url: string, processEveryMs?: number): Promise<BareAgenda> {
  const script = fileURLToPath(new URL('bareAgenda.ts', import.meta.url));
  const child = fork(script, processEveryMs === undefined ? [url] : [url, String(processEveryMs)], {
    execArgv: ['--import', '@swc-node/register/esm-register'],
  });
  const rang = new Map<string, number[]>();
  child.on('message', (answer: BareAnswer) => {
    if ('rang' in answer) rang.set(answer.rang, [...(rang.get(answer.rang) ?? []), answer.atMs]);
  });
  const until = async (isIt: (answer: BareAnswer) => boolean) => {
    for (;;) {
      const [answer] = (await once(child, 'message')) as [BareAnswer];
      if (isIt(answer)) return;
    }
  };
  await until((answer) => 'ready' in answer);
  return {
    pid: child.pid ?? 0,
    rang,
    async set(order) {
      const done = until((answer) => 'set' in answer);
      child.send(order);
      await done;
    },
    async stop() {
      const gone = once(child, 'exit');
      child.kill('SIGKILL');
      await gone;
    },
  };
}
