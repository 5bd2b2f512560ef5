import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readlink, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { endOrphan } from './orphan.js';

/** Starts a process in the given folder, prints its process id, and never reads its exit status. */
const careless = `
chdir $ARGV[0] or die;
my $child = fork;
if ($child == 0) { close STDOUT; sleep 600; exit }
$| = 1; print "$child\\n";
sleep 600;
`;

const isLinux = process.platform === 'linux';

(isLinux ? describe : describe.skip)('A server that a killed process left behind', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await realpath(await mkdtemp(join(tmpdir(), 'stowage-orphan-')));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  test('counts as ended when it is a zombie, because its parent may never read the exit status', async () => {
    const parent = spawn('perl', ['-e', careless, folder], { stdio: ['ignore', 'pipe', 'inherit'] });
    const exited = once(parent, 'exit');
    let pid = 0;
    try {
      const [line] = (await once(createInterface({ input: parent.stdout }), 'line')) as [string];
      pid = Number(line);
      expect(await readlink(`/proc/${line}/cwd`)).toBe(folder);
      await writeFile(join(folder, 'postmaster.pid'), `${line}\n`);
      await endOrphan(folder);
      expect(existsSync(`/proc/${line}`)).toBe(true);
    } finally {
      if (pid > 0) process.kill(pid, 'SIGKILL');
      parent.kill('SIGKILL');
      await exited;
    }
  });
});
