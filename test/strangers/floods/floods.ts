import { once } from 'node:events';
import { WebSocket } from 'ws';
import { aliases } from '../documents/hostileDocument.js';
import { AttemptCount, type StrangersGround, type StrangersGroup } from '../stranger.js';
import { createProjectOfOthers, postAs, type ProjectOfOthers } from '../projectOfOthers.js';
import { memoryOf } from '../watch.js';
import { plainConnections } from './plainConnections.js';

/** The maximum increase of the process's memory by sockets before sign-in. */
const mostBeforeSignIn = 20 * 1024 * 1024;

/** Floods of sockets, messages and subscriptions. */
export const floods: readonly StrangersGroup[] = [
  { name: 'flood: 1,000 sockets before sign-in', run: (ground) => beforeSignIn(ground, 0) },
  { name: 'flood: 1,000 sockets with an unfinished frame of 1 MB', run: (ground) => beforeSignIn(ground, 500_000) },
  { name: 'flood: 2,400 HTTP connections before sign-in', run: plainConnections },
  { name: 'flood: 100 subscriptions of 90 inventories, unread', run: unreadInventories },
  { name: 'flood: 5,000 messages that subscribe and complete', run: subscribeAndComplete },
  { name: 'flood: 20 sockets with 50 subscriptions each', run: manySubscriptions },
];

type Opened = { readonly socket: WebSocket; readonly messages: { id?: string; type: string; payload?: unknown }[] };

/** Undefined if the upgrade is refused. */
async function open({ url }: StrangersGround, count: AttemptCount, localAddress = '127.0.0.1') {
  count.attempts += 1;
  const socket = new WebSocket(`${url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws', { localAddress });
  const opened: Opened = { socket, messages: [] };
  socket.on('message', (data: Buffer) => void opened.messages.push(JSON.parse(data.toString()) as never));
  return new Promise<Opened | undefined>((resolve) => {
    socket.once('open', () => resolve(opened));
    socket.on('error', (error) => {
      count.refused(/\d{3}$/.exec(error.message)?.[0] ?? 'ECONNRESET');
      resolve(undefined);
    });
    socket.on('close', (code) => {
      if (code !== 1006 && code !== 1005) count.refused(code);
    });
  });
}

async function signIn(ground: StrangersGround, count: AttemptCount, token = ground.token): Promise<Opened> {
  const opened = await open(ground, count);
  if (opened === undefined) throw new Error('A socket was refused.');
  opened.socket.send(JSON.stringify({ type: 'connection_init', payload: { authorization: token } }));
  await once(opened.socket, 'message');
  opened.messages.length = 0;
  return opened;
}

const subscribe = ({ socket }: Opened, id: string, query: string, variables: object = {}) =>
  socket.send(JSON.stringify({ id, type: 'subscribe', payload: { query, variables } }));

/** From ten addresses of this machine, as many as are accepted. */
async function beforeSignIn(ground: StrangersGround, sentBytes: number): Promise<AttemptCount> {
  const count = new AttemptCount();
  const before = memoryOf(ground.pid, 'VmRSS');
  const sockets: Opened[] = [];
  const all = ground.all ? 1_000 : 100;
  for (let number = 0; number < all; number += 1) {
    const opened = await open(ground, count, `127.0.1.${1 + (number % 10)}`);
    if (opened === undefined) continue;
    sockets.push(opened);
    if (sentBytes === 0) continue;
    // The first part of a message whose last part is never sent.
    opened.socket.send('x'.repeat(sentBytes), { fin: false });
  }
  const added = memoryOf(ground.pid, 'VmRSS') - before;
  if (added > mostBeforeSignIn)
    count.problems.push(`${sockets.length} sockets took ${Math.round(added / 1024 / 1024)} MB before their sign-in.`);
  for (const { socket } of sockets) socket.terminate();
  return count;
}

async function unreadInventories(ground: StrangersGround): Promise<AttemptCount> {
  const count = new AttemptCount();
  const reader = await signIn(ground, count);
  const query = `subscription ($id: ID!) { backupJob(id: $id) { ${aliases(90, 'inventory')} } }`;
  // With twenty inventories a message is just within the limit.
  const smaller = `subscription ($id: ID!) { backupJob(id: $id) { ${aliases(20, 'inventory')} } }`;
  reader.socket.pause();
  for (const [index, id] of ground.ids.jobIds.entries()) {
    count.attempts += 1;
    subscribe(reader, String(index), index % 2 === 0 ? query : smaller, { id });
  }
  await settle(ground);
  reader.socket.terminate();
  return count;
}

async function subscribeAndComplete(ground: StrangersGround): Promise<AttemptCount> {
  const count = new AttemptCount();
  const sender = await signIn(ground, count);
  const query = 'subscription { backupJobChanges { kind position job { id status plan { name } service { name } } } }';
  for (let id = 0; id < (ground.all ? 2_500 : 250); id += 1) {
    count.attempts += 2;
    subscribe(sender, String(id), query);
    sender.socket.send(JSON.stringify({ id: String(id), type: 'complete' }));
  }
  await settle(ground);
  sender.socket.terminate();
  return count;
}

/**
 * Ten other subscribers must receive a change at once, while each of twenty clients has 50 subscriptions to it.
 */
async function manySubscriptions(ground: StrangersGround): Promise<AttemptCount> {
  const count = new AttemptCount();
  const query = `subscription { backupJobChanges(progress: true) {
    kind position job { id status message service { name } } } }`;
  const others = await createProjectOfOthers(ground, 'Quay');
  const plan = await makePlan(ground, others);
  const ordinary = await Promise.all(Array.from({ length: 10 }, () => signIn(ground, count, others.token)));
  for (const one of ordinary) subscribe(one, '0', query);
  const greedy = await Promise.all(Array.from({ length: ground.all ? 20 : 2 }, () => signIn(ground, count)));
  for (const one of greedy) {
    for (let id = 0; id < (ground.all ? 50 : 10); id += 1) {
      count.attempts += 1;
      subscribe(one, String(id), query);
    }
  }
  const isReady = ({ messages }: Opened) => JSON.stringify(messages).includes('"READY"');
  while (![...ordinary, ...greedy].every(isReady)) await new Promise((resolve) => setTimeout(resolve, 50));
  let latestMs = 0;
  for (let change = 0; change < (ground.all ? 10 : 2); change += 1) {
    for (const { messages } of ordinary) messages.length = 0;
    const { id } = await startBackup(ground, plan);
    const beganAt = performance.now();
    const heard = ({ messages }: Opened) => messages.some(({ payload }) => JSON.stringify(payload).includes(id));
    while (!ordinary.every(heard)) {
      if (performance.now() - beganAt > 60_000) break;
      await new Promise((resolve) => setImmediate(resolve));
    }
    latestMs = Math.max(latestMs, performance.now() - beganAt);
    await postAs(ground, 'mutation ($id: ID!) { cancelBackupJob(id: $id) { id } }', { id });
  }
  console.log(`The latest change arrived after ${Math.round(latestMs)} ms.`);
  if (ground.all && latestMs > 1_000)
    count.problems.push(`An ordinary subscriber was ${Math.round(latestMs)} ms late.`);
  for (const { socket } of [...ordinary, ...greedy]) socket.terminate();
  return count;
}

/** The plans that fill the database have no events. A backup needs a plan with events. */
async function makePlan(ground: StrangersGround, { projectId }: ProjectOfOthers): Promise<string> {
  const made = async (mutation: string, variables: object) => {
    const data = (await postAs(ground, mutation, variables)) as { made: { id: string } };
    return data.made.id;
  };
  const serviceId = await made('mutation ($input: ServiceInput!) { made: registerService(input: $input) { id } }', {
    input: { projectId, name: 'orders', engine: 'MARIADB', host: '127.0.0.1', port: 9, username: 'u', password: 'p' },
  });
  const endpoint = 'mutation ($input: FileEndpointInput!) { made: createFileEndpoint(input: $input) { id } }';
  const fileEndpointId = await made(endpoint, {
    input: { projectId, name: 'folder', settings: { filesystem: { path: 'quay' } } },
  });
  return made('mutation ($input: BackupPlanInput!) { made: createBackupPlan(input: $input) { id } }', {
    input: {
      ...{ serviceId, name: 'yearly', fileEndpointIds: [fileEndpointId], frequency: '0 0 0 1 1 *' },
      retention: { style: 'ALL' },
    },
  });
}

async function startBackup(ground: StrangersGround, planId: string): Promise<{ id: string }> {
  const data = await postAs(
    ground,
    'mutation ($planId: ID!) { startBackup(input: { planId: $planId }) { jobs { id } } }',
    {
      planId,
    },
  );
  const [job] = (data as { startBackup: { jobs: { id: string }[] } }).startBackup.jobs;
  if (job === undefined) throw new Error('No job was queued.');
  return job;
}

/** Long enough for the server to handle a flood. */
function settle({ all }: StrangersGround): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, all ? 10_000 : 1_000));
}
