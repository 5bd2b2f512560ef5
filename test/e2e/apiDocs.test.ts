/**
 * Runs the examples of docs/api.md and docs/platform.md in their order, as a client would, and compares the results with
 * those in the documents.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { WebSocketServer } from 'ws';
import { GraphqlUser, type ReceivedMessages } from '../fixtures/api/graphqlUser.js';
import { installationToken, startWholeApi, type WholeApi } from '../fixtures/api/wholeApi.js';
import { documentExamples, Placeholders, type DocumentExample } from '../fixtures/documentExamples.js';
import { describeWith } from '../fixtures/requirements.js';
import { postgresMissing } from '../fixtures/servers/postgres.js';

const repository = join(import.meta.dirname, '../..');
const examplesOf = (page: string) => documentExamples(readFileSync(join(repository, page), 'utf8'));
const pages = ['docs/api.md', 'docs/platform.md'];
const skips = { postgresql: await postgresMissing() };
const soonMs = 60_000;
/** The last line of the output of a program that does not end by itself. */
const goesOn = '…';

for (const page of pages)
  describeWith(skips, page, () => {
    let api: WholeApi;
    let user: GraphqlUser;
    const placeholders = new Placeholders();
    let latest: { readonly field: string; readonly sent: ReceivedMessages<unknown>; compared: number };

    beforeAll(async () => {
      api = await startWholeApi();
      user = new GraphqlUser(api.url, installationToken);
    });
    afterAll(async () => {
      await user.close();
      await api.stop();
    });

    /** Waits for the messages, and for the end if the document states that the subscription completes. */
    async function expectMessages(shown: string): Promise<void> {
      const lines = shown.split('\n');
      const isEnd = lines.at(-1) === '// complete';
      const expected: unknown[] = lines.slice(0, isEnd ? -1 : undefined).map((line) => JSON.parse(line) as unknown);
      const { field, sent, compared } = latest;
      const values = await sent.until(
        (all, isComplete) => all.length >= compared + expected.length && (isComplete || !isEnd),
        soonMs,
      );
      latest.compared = values.length;
      const messages = values.slice(compared).map((value) => ({ data: { [field]: value } }));
      expect(placeholders.hide(messages, expected)).toEqual(expected);
    }

    const run = {
      async OPERATION({ query, variables, answer }: Of<'OPERATION'>) {
        const expected = JSON.parse(answer) as unknown;
        const { text } = await api.post(placeholders.fill(query), JSON.parse(placeholders.fill(variables)) as object);
        expect(placeholders.hide(JSON.parse(text), expected)).toEqual(expected);
      },
      async SUBSCRIPTION({ query, variables, messages }: Of<'SUBSCRIPTION'>) {
        const filled = JSON.parse(placeholders.fill(variables)) as Readonly<Record<string, unknown>>;
        const field = /\{\s*(?<field>\w+)/.exec(query)?.groups?.['field'] ?? '';
        latest = { field, sent: user.subscribe(field, query, filled), compared: 0 };
        await expectMessages(messages);
      },
      async MESSAGES({ messages }: Of<'MESSAGES'>) {
        await expectMessages(messages);
      },
      async PROGRAM({ program, options, output }: Of<'PROGRAM'>) {
        expect(await outputOf(program, argumentsOf(placeholders.fill(options)), `${api.url}/graphql`, output)).toBe(
          output,
        );
      },
    };

    test.each(examplesOf(page).map((example) => [example.name, example] as const))('%s', async (_, example) => {
      await (run[example.kind] as (example: DocumentExample) => Promise<void>)(example);
    });
  });

test('the program that follows the log continues after the last event that it printed if it was too slow', async () => {
  const follow = examplesOf('docs/api.md').find(
    (example) => example.kind === 'PROGRAM' && example.program.includes('SLOW_CONSUMER'),
  );
  if (follow?.kind !== 'PROGRAM') throw new Error('docs/api.md has no program that follows the log.');
  const afters: unknown[] = [];
  const server = await slowConsumerServer((after) => afters.push(after));
  try {
    const output = await outputOf(follow.program, [], server.url, `Event 1\nEvent 2\nEvent 3\n${goesOn}`);
    expect(output).toBe(`Event 1\nEvent 2\nEvent 3\n${goesOn}`);
    expect(afters).toEqual(['0', '2']);
  } finally {
    await server.close();
  }
});

type Of<Kind extends DocumentExample['kind']> = Extract<DocumentExample, { kind: Kind }>;

function argumentsOf(options: string): string[] {
  return options
    .split(' ')
    .filter((each) => each !== '')
    .map((each) => each.replaceAll('"', ''));
}

/** Waits for the output of a program until it ends, or until it has printed as many lines as the document shows. */
async function outputOf(program: string, args: readonly string[], url: string, shown: string): Promise<string> {
  // With -e, the first argument is at the position of the file's name in process.argv.
  const child = spawn(process.execPath, ['--input-type=module', '-e', program, 'program.mjs', ...args], {
    cwd: repository,
    env: { PATH: process.env['PATH'], URL: url, TOKEN: installationToken },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const printed: string[] = [];
  child.stderr.on('data', (chunk: Buffer) => printed.push(`stderr: ${chunk.toString()}`));
  const lines = shown.split('\n');
  const limit = setTimeout(() => child.kill('SIGKILL'), soonMs);
  const isOver = once(child, 'close');
  createInterface({ input: child.stdout }).on('line', (line) => {
    printed.push(line);
    if (lines.at(-1) === goesOn && printed.length === lines.length - 1) endProgram(child, printed);
  });
  await isOver;
  clearTimeout(limit);
  return printed.join('\n');
}

function endProgram(child: ChildProcess, printed: string[]): void {
  if (child.exitCode !== null) return;
  printed.push(goesOn);
  child.kill('SIGKILL');
}

/** Ends the first subscription with SLOW_CONSUMER after two events, and sends one event to the second one. */
async function slowConsumerServer(onSubscribe: (after: unknown) => void) {
  const http = createServer();
  const sockets = new WebSocketServer({ server: http, handleProtocols: () => 'graphql-transport-ws' });
  let subscriptions = 0;
  sockets.on('connection', (socket) => {
    const send = (message: object) => socket.send(JSON.stringify(message));
    const sendEvent = (id: unknown, number: number) =>
      send({ id, type: 'next', payload: { data: { events: { position: String(number), type: `Event ${number}` } } } });
    socket.on('message', (data: Buffer) => {
      const { id, type, payload } = JSON.parse(data.toString()) as ClientMessage;
      if (type === 'connection_init') send({ type: 'connection_ack' });
      if (type !== 'subscribe') return;
      onSubscribe(payload?.variables.after);
      subscriptions += 1;
      if (subscriptions > 1) sendEvent(id, 3);
      else {
        sendEvent(id, 1);
        sendEvent(id, 2);
        send({ id, type: 'error', payload: [{ message: 'Too slow.', extensions: { code: 'SLOW_CONSUMER' } }] });
      }
    });
  });
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  return {
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}/graphql`,
    async close() {
      for (const socket of sockets.clients) socket.terminate();
      sockets.close();
      http.close();
      await once(http, 'close');
    },
  };
}

type ClientMessage = {
  readonly id?: string;
  readonly type: string;
  readonly payload?: { readonly variables: { readonly after?: string } };
};
