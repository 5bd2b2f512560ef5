import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { asService, otherUidsMissing, processesUnder } from '../../../test/fixtures/processes/otherUids.js';
import { runTool } from '../../../test/fixtures/processes/runTool.js';
import { describeWith } from '../../../test/fixtures/requirements.js';
import { mountsMissing } from '../../../test/fixtures/smallDisk.js';
import { until } from '../../../test/fixtures/until.js';
import { localPorts } from './localPorts.js';
import { plainOutput } from './outputFilter.js';
import { startTool } from './startTool.js';
import { createToolFiles } from './toolFiles.js';
import { createToolUids } from './toolUids.js';

const range = { first: 60_710, last: 60_713 };

describeWith({ root: otherUidsMissing }, 'A tool under a uid of its own', () => {
  const tools = { folders: [], uids: createToolUids(range) };
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'stowage-uids-'));
  });
  afterAll(async () => {
    expect(processesUnder(range)).toEqual([]);
    await rm(folder, { recursive: true });
  });

  const shell = (script: string, ...more: Parameters<typeof runTool>[2][]) =>
    runTool('/bin/sh', ['-c', script], { tools, ...more[0] });
  const waiting = (script: string, end: AbortSignal, files = createToolFiles(folder)) =>
    startTool(
      { program: '/bin/sh', args: ['-c', script], stdin: 'none', stdout: 'pipe', filter: plainOutput(), files },
      tools,
      end,
    );

  test('has no group, no capability, and can get none', async () => {
    const { stdout } = await shell('cat /proc/self/status');
    const fact = (name: string) => new RegExp(`^${name}:[ \\t]*(.*?)[ \\t]*$`, 'm').exec(stdout)?.[1];
    const [uid, ...others] = (fact('Uid') ?? '').split(/\s+/).map(Number);
    expect(uid).toBeGreaterThanOrEqual(range.first);
    expect(uid).toBeLessThanOrEqual(range.last);
    expect(new Set(others)).toEqual(new Set([uid]));
    expect(fact('Gid')).toBe(fact('Uid'));
    expect({ groups: fact('Groups'), noNewPrivs: fact('NoNewPrivs') }).toEqual({ groups: '', noNewPrivs: '1' });
    for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapAmb']) expect(Number(`0x${fact(set) ?? ''}`)).toBe(0);
  });

  test('reads its own files', async () => {
    const files = createToolFiles(folder);
    const path = files.add('password=x\n');
    expect((await shell(`cat ${path}`, { files })).stdout).toBe('password=x\n');
  });

  test('reads its own files also if the umask allows others nothing', async () => {
    const before = process.umask(0o077);
    try {
      const files = createToolFiles(folder);
      const path = files.add('password=x\n');
      expect((await shell(`cat ${path}`, { files })).stdout).toBe('password=x\n');
    } finally {
      process.umask(before);
    }
  });

  test('ends although it kills whoever ends it', async () => {
    // It also ends the tool, so the tool has not ended before the loop runs.
    const killer = 'use POSIX; if (fork) { sleep 600 } POSIX::setsid(); kill KILL => -1 while 1';
    const uids = new Set<string>();
    for (let starts = 0; starts < 20; starts += 1) {
      expect(await shell(`exec perl -e '${killer}' 2>&1`)).toMatchObject({ signal: 'SIGKILL' });
      await until(() => processesUnder(range).length === 0, 'the loop has ended');
    }
    for (let starts = 0; starts < 4; starts += 1) uids.add((await shell('id -u')).stdout);
    expect(uids.size).toBeGreaterThanOrEqual(3);
  });

  test('cannot read the key or the files of this process or of another tool, and can signal no process', async () => {
    const key = join(folder, 'master.key');
    await writeFile(key, 'the key\n', { mode: 0o600 });
    await chmod(folder, 0o755);
    const end = new AbortController();
    const files = createToolFiles(folder);
    files.add('password=of another\n');
    const other = waiting('echo ready; exec sleep 600', end.signal, files);
    if (other.stdout !== null) await once(other.stdout, 'data');
    const attempts = [
      `cat ${key}`,
      `cat /proc/${process.pid}/environ`,
      `cat /proc/${process.pid}/maps`,
      `ls /proc/${process.pid}/fd/`,
      `head -c 1 /proc/${process.pid}/mem`,
      `cat /proc/${other.pid}/environ`,
      `cat /proc/${other.pid}/fd/4`,
      `kill -0 ${process.pid}`,
      `kill -0 ${other.pid}`,
    ];
    const { stdout } = await shell(attempts.map((each) => `${each} 2>/dev/null && echo '${each}'`).join('\n'));
    expect(stdout).toBe('');
    end.abort();
    await other.ended;
  });

  test('is recognised by the ports of its own connections', async () => {
    const server = createServer((socket) => socket.on('error', () => undefined)).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const end = new AbortController();
    const connect = async () => {
      const connected = once(server, 'connection') as Promise<[Socket]>;
      const program = `use IO::Socket::INET; my $s = IO::Socket::INET->new("127.0.0.1:${port}"); sleep 600`;
      const tool = waiting(`exec perl -e '${program}'`, end.signal);
      const [{ remotePort }] = await connected;
      return { tool, remotePort };
    };
    const [one, other] = [await connect(), await connect()];
    for (const { tool, remotePort } of [one, other]) {
      expect(await localPorts({ pid: tool.pid ?? 0, uid: tool.uid }, port)).toEqual([remotePort]);
      expect(await localPorts({ pid: tool.pid ?? 0, uid: tool.uid }, port + 1)).toEqual([]);
    }
    end.abort();
    await Promise.all([one.tool.ended, other.tool.ended]);
    server.close();
    await once(server, 'close');
  });

  const register = ['--import', '@swc-node/register/esm-register'];

  (mountsMissing === undefined ? test : test.skip)(
    'is recognised by the ports of its connections also if /proc hides the processes of other users',
    async () => {
      // systemd: ProtectProc=invisible.
      const hidden = 'mount -t proc -o hidepid=invisible proc /proc && exec "$@"';
      const service = [...asService(), process.execPath, ...register, 'test/fixtures/processes/toolPorts.ts'];
      const child = spawn('unshare', ['--mount', 'sh', '-c', hidden, 'sh', ...service], {
        stdio: ['ignore', 'pipe', 'inherit'],
        env: { PATH: process.env['PATH'], TOOL_UIDS: `${range.first}-${range.last}` },
      });
      const [output] = await Promise.all([text(child.stdout), once(child, 'exit')]);
      const { expected, found } = JSON.parse(output) as { expected: unknown; found: unknown };
      expect(found).toEqual(expected);
    },
  );

  test('ends with everything that it started, also outside of its group', async () => {
    const end = await shell('setsid sh -c "trap : TERM; sleep 600 & wait" >/dev/null 2>&1 & sleep 0.2');
    expect(end.exitCode).toBe(0);
    // The kernel ends a process some time after the signal was sent.
    await until(() => processesUnder(range).length === 0, 'everything has ended');
  });

  test('ends when its job is cancelled, also if it ignores that', async () => {
    const end = new AbortController();
    const tool = waiting('trap "" TERM; echo ready; while :; do sleep 600; done', end.signal);
    if (tool.stdout !== null) await once(tool.stdout, 'data');
    end.abort();
    expect(await tool.ended).toMatchObject({ exitCode: null, signal: 'SIGKILL' });
  });

  test('has a uid that no other tool has', async () => {
    const end = new AbortController();
    const size = range.last - range.first;
    const started = Array.from({ length: size }, () => waiting('exec sleep 600', end.signal));
    expect(new Set(started.map(({ uid }) => uid)).size).toBe(size);
    const another = () => waiting('exit 0', end.signal);
    expect(another).toThrow(expect.objectContaining({ code: 'UNAVAILABLE' }));
    end.abort();
    await Promise.all(started.map((tool) => tool.ended));
    await expect(shell('exit 0')).resolves.toMatchObject({ exitCode: 0 });
  });

  test('returns its uid if it cannot be started', async () => {
    const files = createToolFiles(join(folder, 'missing'));
    files.add('text');
    for (let tries = 0; tries < 9; tries += 1) {
      await expect(shell('exit 0', { files })).rejects.toMatchObject({ code: 'ENOENT' });
    }
  });

  test('is killed by the kernel together with a service that does not run as root', async () => {
    const started = [...register, 'test/fixtures/processes/toolProcess.ts'];
    const [setpriv = '', ...service] = asService();
    const worker = spawn(setpriv, [...service, process.execPath, ...started, '/bin/sleep', '600'], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { PATH: process.env['PATH'], TOOL_UIDS: `${range.first}-${range.last}` },
    });
    await once(worker.stdout, 'data');
    await until(() => processesUnder(range).some(({ name }) => name === 'sleep'), 'the tool runs');
    worker.kill('SIGKILL');
    await once(worker, 'exit');
    await until(() => processesUnder(range).length === 0, 'the tool has ended');
  });
});
