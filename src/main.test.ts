import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { settingNames, type ProgramRole } from './settings.js';

const root = fileURLToPath(new URL('..', import.meta.url));

/** Starts the program as a person does, with only the given environment. */
function stowage(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const register = ['--no-warnings', '--import', '@swc-node/register/esm-register'];
  const child = spawn(process.execPath, [...register, join(root, 'src/main.ts'), ...args], {
    cwd: root,
    env: { PATH: process.env['PATH'], ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  const ended = once(child, 'close').then(([code]) => ({ code: code as number | null, stdout, stderr }));
  const printed = async (pattern: RegExp): Promise<RegExpExecArray> => {
    for (;;) {
      const found = pattern.exec(stdout);
      if (found !== null) return found;
      const over = await Promise.race([ended, once(child.stdout, 'data').then(() => undefined)]);
      if (over !== undefined) throw new Error(`It ended with ${over.code}: ${over.stdout}${over.stderr}`);
    }
  };
  return { child, ended, printed };
}

describe('the command line', () => {
  test('prints help and version and ends with 0', async () => {
    const [help, version] = await Promise.all([stowage(['--help']).ended, stowage(['--version']).ended]);
    expect(help).toMatchObject({ code: 0, stderr: '' });
    for (const command of ['up', 'serve', 'worker', 'migrate', 'adopt-prefixes', 'private-targets'])
      expect(help.stdout).toMatch(new RegExp(`^ {2}${command} `, 'm'));
    const { version: expected } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
    expect(version).toEqual({ code: 0, stdout: `${expected}\n`, stderr: '' });
  });

  test.each<ProgramRole>(['up', 'serve', 'worker', 'migrate', 'adopt-prefixes', 'private-targets'])(
    '%s --help lists its settings, examples and exit codes',
    async (role) => {
      const { code, stdout } = await stowage([role, '--help']).ended;
      expect(code).toBe(0);
      const listed = [...stdout.matchAll(/^ {2}([A-Z_]+) {2}\[/gm)].map((match) => match[1]);
      expect(listed).toEqual(settingNames(role));
      expect(stdout).toContain('Examples:\n');
      expect(stdout).toMatch(/^ {2}78 {2}a setting is wrong or missing$/m);
    },
  );

  test.each([[['fly']], [['serve', 'extra']], [['--fast']]])('%j is a usage error with exit code 64', async (args) => {
    const { code, stdout, stderr } = await stowage(args).ended;
    expect({ code, stdout }).toEqual({ code: 64, stdout: '' });
    expect(stderr).toContain('stowage --help');
  });

  test('wrong settings end the start with exit code 78 and one sentence each, without a secret', async () => {
    const { code, stdout, stderr } = await stowage(['serve'], { PORT: 'abc', DATABASE_URL: 'mysql://a:hunter2@db/x' })
      .ended;
    expect({ code, stdout }).toEqual({ code: 78, stdout: '' });
    expect(stderr).toContain('stowage: PORT holds "abc". It should hold a port');
    expect(stderr).toContain('stowage: DATABASE_URL holds a value of 22 characters');
    expect(stderr).not.toContain('hunter2');
  });

  test('migrate ends with exit code 1 and the reason if the database does not answer', async () => {
    const env = { DATABASE_URL: 'postgres://stowage:hunter2@127.0.0.1:1/stowage' };
    const { code, stdout } = await stowage(['migrate'], env).ended;
    expect(code).toBe(1);
    expect(stdout).toMatch(/PostgreSQL at DATABASE_URL cannot be used: .*ECONNREFUSED/);
    expect(stdout).not.toContain('hunter2');
  });
});

describe('stowage up', () => {
  let data: string;
  beforeEach(() => {
    data = mkdtempSync(join(tmpdir(), 'stowage-up-'));
    chmodSync(data, 0o755); // As root, PostgreSQL runs under another uid.
  });
  let running: ChildProcess[] = [];
  const start = () => {
    const up = stowage(['up'], { STOWAGE_DATA: data, PORT: '0' });
    running.push(up.child);
    return up;
  };
  afterEach(() => {
    for (const child of running) child.kill('SIGKILL');
    running = [];
    rmSync(data, { recursive: true });
  });

  test('starts without settings, accepts only its own token, and stops cleanly, also if its log is not read', async () => {
    const up = start();
    const [, token] = await up.printed(/Admin token \(.*\): ([0-9a-f]{48})/);
    const [, url] = await up.printed(/API listens at (http:\/\/127\.0\.0\.1:\d+)\/graphql/);
    expect(readFileSync(join(data, 'admin-token'), 'utf8').trim()).toBe(token);

    const [, link] = await up.printed(/Sign in \(.*\): (http:\S+\/sign-in#[\w-]{43})/);
    const another = stowage(['sign-in', '--url', String(url)], { STOWAGE_DATA: data });
    const { code: signInCode, stdout: printedLink } = await another.ended;
    expect([signInCode, printedLink]).toEqual([0, expect.stringMatching(/^http:\S+\/sign-in#[\w-]{43}\n$/)]);
    expect(printedLink.trim()).not.toBe(link);

    const me = async (authorization: string): Promise<unknown> => {
      const response = await fetch(`${String(url)}/graphql`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization },
        body: JSON.stringify({ query: '{ me { subject } }' }),
      });
      return response.json();
    };
    expect(await me(`Bearer ${String(token)}`)).toEqual({ data: { me: { subject: 'installation' } } });
    expect(await me('Bearer wrong')).toMatchObject({ errors: [{ extensions: { code: 'UNAUTHENTICATED' } }] });
    expect((await fetch(`${String(url)}/readyz`)).status).toBe(200);

    up.child.kill('SIGTERM');
    expect(await up.ended).toMatchObject({ code: 0, stderr: '' });

    // The second start uses the files that the first one created.
    const again = start();
    await again.printed(/API listens at/);
    again.child.stdout.destroy();
    again.child.stderr.destroy();
    again.child.kill('SIGINT');
    const { code, stdout } = await again.ended;
    expect(code).toBe(0);
    expect(stdout).not.toContain(token);
  });
});
