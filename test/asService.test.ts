import { expect, test } from '@jest/globals';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { asService, otherUidsMissing, serviceUid } from './fixtures/processes/otherUids.js';
import { describeWith } from './fixtures/requirements.js';

const script = join(import.meta.dirname, '../image/as-service');
const shown = 'id -un; id -G; echo "[$STOWAGE_TOOL_UIDS]"; grep -E "^(CapEff|CapAmb|NoNewPrivs):" /proc/self/status';
/** SETUID, SETGID and KILL. */
const caps = '00000000000000e0';

/** Runs the entry point of the image. `before` is a program that becomes it. */
function run(command: string, env: Readonly<Record<string, string>> = {}, before: readonly string[] = []) {
  const [program, ...args] = [...before, script, 'nobody', 'sh', '-c', command];
  return new Promise<{ readonly code: number | string; readonly lines: readonly string[]; readonly stderr: string }>(
    (resolve) => {
      execFile(program, args, { env: { PATH: process.env['PATH'], ...env } }, (error, stdout, stderr) => {
        resolve({ code: error?.code ?? 0, lines: stdout.split(/\s*\n/).slice(0, -1), stderr });
      });
    },
  );
}

describeWith({ root: otherUidsMissing }, 'The entry point of the image', () => {
  test('becomes the user with what it needs to run tools under other uids', async () => {
    const { code, lines } = await run(shown);
    expect(code).toBe(0);
    expect(lines).toEqual([
      ...['nobody', '65534', '[60706-61183]'],
      ...[`CapEff:\t${caps}`, `CapAmb:\t${caps}`, 'NoNewPrivs:\t1'],
    ]);
  });

  test.each(['', '70000-70063'])('keeps the uids that are given (%j)', async (given) => {
    expect((await run(shown, { STOWAGE_TOOL_UIDS: given })).lines).toContain(`[${given}]`);
  });

  test('needs no other capability of the container', async () => {
    const only = '-all,+setuid,+setgid,+kill';
    const { lines } = await run(shown, {}, ['setpriv', `--bounding-set=${only}`, '--inh-caps=-all', '--']);
    expect(lines).toContain(`CapEff:\t${caps}`);
  });

  test.each(['-all', '-all,+setuid,+setgid'])('ends with 78 and says what to do with %s', async (set) => {
    const { code, lines, stderr } = await run(shown, {}, ['setpriv', `--bounding-set=${set}`, '--inh-caps=-all', '--']);
    expect({ code, lines }).toEqual({ code: 78, lines: [] });
    expect(stderr).toContain('--cap-add SETUID --cap-add SETGID --cap-add KILL');
    expect(stderr).toContain('--user nobody');
  });

  test('runs the command as it is in a container that starts as another user', async () => {
    const { lines } = await run('id -u; echo "[${STOWAGE_TOOL_UIDS-unset}]"', {}, asService([]));
    expect(lines).toEqual([String(serviceUid), '[unset]']);
  });
});
