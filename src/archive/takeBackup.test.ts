import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { archiveBench, description, heldAfterFirstBytes, type ArchiveBench } from '../../test/fixtures/archive.js';
import { childrenNamed, groupIsAlive } from '../../test/fixtures/processes/childProcesses.js';
import { mariadbMissing, startMariadb, type MariadbServer } from '../../test/fixtures/servers/mariadb.js';
import { describeWith } from '../../test/fixtures/requirements.js';
import { until } from '../../test/fixtures/until.js';
import { createMariadbEngine } from '../engines/mariadb/mariadbEngine.js';
import { StowageError } from '../errors.js';
import { Secret } from '../secret.js';
import type { TakeBackup } from './archive.js';
import { readBackupDocument } from './backupDocument.js';
import { takeBackup } from './takeBackup.js';

const engine = createMariadbEngine();
const ourTools = ['mariadb-dump', 'perl', 'zstd', 'setpriv', 'sh', 'sleep', 'mkfifo'];

describeWith({ mariadb: mariadbMissing }, 'A new backup', () => {
  let server: MariadbServer;
  let bench: ArchiveBench;

  beforeAll(async () => {
    [server, bench] = await Promise.all([startMariadb(), archiveBench()]);
    await server.sql(await readFile('scripts/quickstart-sample.sql', 'utf8'));
    await server.sql(bulk);
  });

  afterEach(() => expect(childrenNamed(...ourTools)).toEqual([]));
  afterAll(async () => {
    await Promise.all([server.stop(), bench.remove()]);
  });

  const harbour = () => server.connection({ databases: ['harbour'] });
  const big = () => server.connection({ databases: ['bulk'] });

  async function stored(input: TakeBackup): Promise<readonly string[]> {
    const names: string[] = [];
    for await (const { name } of bench.storage.list(input.folder, { signal: input.signal })) names.push(name);
    return names;
  }

  /** The backup failed with this error, and no object in the container looks like a backup. */
  async function expectFailure(input: TakeBackup, attempt: Promise<unknown>, failure: object): Promise<void> {
    await expect(attempt).rejects.toMatchObject(failure);
    expect(childrenNamed(...ourTools)).toEqual([]);
    expect(await stored(input)).toEqual([]);
  }

  test('ends with a backup.json that describes the stored objects, and holds no secret', async () => {
    const phases: string[] = [];
    const readBytes: number[] = [];
    const input = await bench.backup(engine, harbour(), {
      onPhase: async (phase) => {
        const visible = (await stored(input)).some((name) => name.endsWith('.sql.zst'));
        phases.push(`${phase} ${visible ? 'with' : 'without'} an object`);
      },
      onProgress: (progress) => readBytes.push(progress.readBytes),
    });
    const taken = await takeBackup(input);

    expect(phases).toEqual([
      'PREFLIGHT without an object',
      'DUMPING without an object',
      'FINALISING without an object',
      'VERIFYING with an object',
    ]);
    expect(await stored(input)).toEqual([`${input.folder}backup.json`, `${input.folder}databases.sql.zst`]);
    const document = await readBackupDocument(bench.storage, input.folder);
    expect(document).toMatchObject({ engine: 'MARIADB', description, parts: taken.parts, inventory: taken.inventory });
    expect(taken.parts[0]?.sizeBytes).toBe(taken.sizeBytes);
    expect(readBytes.at(-1)).toBe(taken.sizeBytes);
    const ships = taken.inventory.databases[0]?.tables.find(({ name }) => name === 'ships');
    expect(ships).toMatchObject({ rows: 5, rowsEstimated: false });
    const text = await readFile(join(bench.root, `${input.folder}backup.json`), 'utf8');
    expect(text).not.toContain('pass\\\\word');
    expect(text).not.toContain(String(server.port));
  });

  test('records the statement size that a target must accept, measured in the dump, which doubles every quote', async () => {
    await server.sql(`CREATE DATABASE quotes; CREATE TABLE quotes.t (a LONGTEXT, b LONGBLOB);
      INSERT INTO quotes.t VALUES (REPEAT("'", 3000000), ''), ('', REPEAT(x'01', 3000000)), ('a', 'b');`);
    const { inventory, parts } = await takeBackup(
      await bench.backup(engine, server.connection({ databases: ['quotes'] })),
    );
    const [{ longestStatementBytes } = {}] = parts;
    expect(longestStatementBytes).toBeGreaterThan(6_000_000);
    // The tool adds no second row to a statement that is already long.
    expect(longestStatementBytes).toBeLessThan(6_000_200);
    expect(inventory.databases[0]?.largestRowBytes).toBe(longestStatementBytes);
    await server.sql('DROP DATABASE quotes');
  });

  test('is refused with a wrong password, before anything is stored', async () => {
    const connection = { ...harbour(), password: new Secret('wrong') };
    const input = await bench.backup(engine, connection);
    await expectFailure(input, takeBackup(input), { code: 'SERVICE_AUTH', retriable: false });
  });

  test('is refused if a privilege is missing, with the statement that grants it', async () => {
    await server.sql(`CREATE USER limited@'%' IDENTIFIED BY 'pw'; GRANT SELECT ON harbour.* TO limited@'%';
      GRANT EXECUTE ON harbour.* TO limited@'%';`);
    const connection = { ...harbour(), username: 'limited', password: new Secret('pw') };
    const input = await bench.backup(engine, connection);
    const refusal: unknown = await takeBackup(input).catch((error: unknown) => error);
    if (!(refusal instanceof StowageError)) throw refusal;
    expect(refusal.code).toBe('SERVICE_PRIVILEGE');
    expect(refusal.message).toContain("TRIGGER, EVENT, SHOW VIEW on 'harbour'; SELECT on mysql.proc");
    await server.sql(refusal.help.replace('Run on the server: ', ''));
    await expect(takeBackup(input)).resolves.toMatchObject({ folder: input.folder });
  });

  test('is refused if nothing is selected, or if a selected database does not exist', async () => {
    const input = await bench.backup(engine, server.connection({ databases: ['harbour', 'harbor'] }));
    await expectFailure(input, takeBackup(input), { code: 'EMPTY_DUMP', details: { absent: ['harbor'] } });
  });

  test('is refused if a view is broken, with the name of the view', async () => {
    await server.sql(
      'CREATE DATABASE broken; CREATE TABLE broken.t (a INT); CREATE VIEW broken.v AS SELECT a FROM broken.t; DROP TABLE broken.t;',
    );
    const input = await bench.backup(engine, server.connection({ databases: ['broken'] }));
    const failure = { code: 'TOOL_FAILED', message: expect.stringContaining('broken.v') };
    await expectFailure(input, takeBackup(input), failure);
    await server.sql('DROP DATABASE broken');
  });

  test.each([
    ['mariadb-dump', 'mariadb-dump was killed by SIGKILL'],
    ['zstd', 'The compressor zstd was killed by SIGKILL'],
    ['perl', 'The process that counts the dump was killed by SIGKILL'],
  ])('fails if %s is killed in the middle', async (program, message) => {
    const held = heldAfterFirstBytes(bench.storage);
    const input = await bench.backup(engine, big(), { storage: held.storage });
    const attempt = takeBackup(input);
    await held.holding;
    const [child] = childrenNamed(program);
    process.kill(child!.pid, 'SIGKILL');
    held.release();
    await expectFailure(input, attempt, { code: 'TOOL_FAILED', message: expect.stringContaining(message) });
  });

  test('fails if the server dies in the middle', async () => {
    const other = await startMariadb();
    try {
      await other.sql(bulk);
      const held = heldAfterFirstBytes(bench.storage);
      const input = await bench.backup(engine, other.connection(), { storage: held.storage });
      const attempt = takeBackup(input);
      await held.holding;
      await other.kill();
      held.release();
      await expectFailure(input, attempt, { code: 'SERVICE_UNREACHABLE', retriable: true });
    } finally {
      await other.stop();
    }
  });

  test.each([
    ['prints an error and exits with 0', complete('echo "mariadb-dump: Error: no such thing" >&2'), 'TOOL_FAILED'],
    [
      'reports a lost connection and exits with 0',
      complete('echo "mariadb-dump: Error 2013: Lost connection" >&2'),
      'SERVICE_UNREACHABLE',
    ],
    ['writes all and exits with 3', `${complete('')}; exit 3`, 'TOOL_FAILED'],
    ['ends without the completion line', 'echo "-- half a dump"', 'INCOMPLETE_DUMP'],
    ['has the completion line in the data only', 'echo "-- Dump completed on 2024"; echo "INSERT"', 'INCOMPLETE_DUMP'],
    ['writes nothing', 'true', 'EMPTY_DUMP'],
  ])('fails if the dump tool %s', async (_what, script, code) => {
    const tools = await bench.tool('mariadb-dump', fakeDump(script));
    const input = await bench.backup(createMariadbEngine({ tools: { folders: [tools] } }), harbour());
    await expectFailure(input, takeBackup(input), { code });
  });

  test.each([
    ['loses bytes that it wrote', 'zstd "$@" | tail -c +2'],
    ['loses bytes that it was given', 'tail -c +2 | zstd "$@"'],
    ['does not report how much it wrote', 'zstd "$@" 2>/dev/null'],
  ])('does not exist if the compressor reports success but %s', async (_, script) => {
    const tools = await bench.tool('zstd', `#!/bin/sh\nPATH=/usr/bin:/bin\n${script}\n`);
    const input = await bench.backup(createMariadbEngine({ tools: { folders: [tools] } }), harbour());
    const code = expect.stringMatching(/^(CHECKSUM|INCOMPLETE_DUMP|TOOL_VERSION)$/);
    await expectFailure(input, takeBackup(input), { code });
  });

  test('does not exist if the tool omits tables and reports a complete dump', async () => {
    const script = realDump('"$1" --ignore-table=bulk.noise --databases bulk');
    const input = await bench.backup(
      createMariadbEngine({ tools: { folders: [await bench.tool('mariadb-dump', script)] } }),
      big(),
    );
    const message = 'The dump lacks objects that the server has: bulk.noise (not in it).';
    await expect(takeBackup(input)).rejects.toMatchObject({ code: 'INCOMPLETE_DUMP', message });
    expect(await stored(input)).not.toContainEqual(expect.stringContaining('backup.json'));
  });

  test('keeps the warnings of a tool that succeeded', async () => {
    const tools = await bench.tool('mariadb-dump', realDump('"$@"; echo "mariadb-dump: Warning: odd" >&2'));
    const input = await bench.backup(createMariadbEngine({ tools: { folders: [tools] } }), harbour());
    const { warnings } = await takeBackup(input);
    expect(warnings).toContain('The dump tool reported: mariadb-dump: Warning: odd');
  });

  test('ends every process and throws the reason of the signal if it is aborted', async () => {
    const held = heldAfterFirstBytes(bench.storage);
    const abort = new AbortController();
    const input = await bench.backup(engine, big(), { storage: held.storage, signal: abort.signal });
    const attempt = takeBackup(input);
    await held.holding;
    expect(
      childrenNamed(...ourTools)
        .map(({ name }) => name)
        .sort(),
    ).toEqual(['mariadb-dump', 'perl', 'zstd']);
    abort.abort(new Error('cancelled by a person'));
    await expect(attempt).rejects.toThrow('cancelled by a person');
    expect(childrenNamed(...ourTools)).toEqual([]);
    held.release();
  });

  test('ends a tool that ignores SIGTERM, and the processes that the tool started', async () => {
    const pidFile = join(bench.folder, 'stubborn.pid');
    const script = `trap "" TERM; echo $$ > ${pidFile}; echo "some bytes"; sleep 600 & sleep 600; sleep 600`;
    const tools = await bench.tool('mariadb-dump', fakeDump(script));
    const abort = new AbortController();
    const stubborn = createMariadbEngine({ tools: { folders: [tools] } });
    const attempt = takeBackup(await bench.backup(stubborn, harbour(), { signal: abort.signal }));
    const head = async () => Number(await readFile(pidFile, 'utf8').catch(() => ''));
    await Promise.race([until(async () => (await head()) > 0, 'the tool runs'), attempt]);
    abort.abort(new Error('cancelled by a person'));
    await expect(attempt).rejects.toThrow('cancelled by a person');
    expect(groupIsAlive(await head())).toBe(false);
  });

  test('starts no dump tool before its phase is entered, and none if the phase cannot be entered', async () => {
    const started = join(bench.folder, 'started');
    const tools = await bench.tool('mariadb-dump', fakeDump(`touch ${started}`));
    const lost = new StowageError('WORKER_LOST', 'The lease was lost.');
    const input = await bench.backup(createMariadbEngine({ tools: { folders: [tools] } }), harbour(), {
      onPhase: async (phase) => {
        if (phase !== 'DUMPING') return;
        await until(() => childrenNamed('zstd').length === 1, 'the compressor runs');
        throw lost;
      },
    });
    await expectFailure(input, takeBackup(input), lost);
    expect(existsSync(started)).toBe(false);
  });

  test('reports no dump if the phase before it could not be entered', async () => {
    const lost = new StowageError('WORKER_LOST', 'The lease was lost.');
    const phases: string[] = [];
    const input = await bench.backup(engine, harbour(), {
      onPhase: (phase) => {
        phases.push(phase);
        return Promise.reject(lost);
      },
    });
    await expectFailure(input, takeBackup(input), lost);
    expect(phases).toEqual(['PREFLIGHT']);
  });

  test('stores nothing and starts no dump if the storage refuses writes', async () => {
    const refusal = new StowageError('CONFLICT', 'The prefix belongs to another installation.');
    const phases: string[] = [];
    const input = await bench.backup(engine, harbour(), {
      onPhase: (phase) => {
        phases.push(phase);
        return Promise.resolve();
      },
      mayStore: () => Promise.reject(refusal),
    });
    await expectFailure(input, takeBackup(input), refusal);
    expect(phases).toEqual(['PREFLIGHT']);
  });

  test('does not query the storage after the database has refused', async () => {
    const connection = { ...harbour(), password: new Secret('wrong') };
    const input = await bench.backup(engine, connection, {
      mayStore: (signal) =>
        new Promise((_, reject) => signal.addEventListener('abort', () => reject(refusedBy(signal)))),
    });
    await expectFailure(input, takeBackup(input), { code: 'SERVICE_AUTH' });
  });

  test('fails as STALLED if no byte moves, and the error names the limit', async () => {
    const held = heldAfterFirstBytes(bench.storage);
    const input = await bench.backup(engine, big(), { storage: held.storage, stallTimeoutMs: 400 });
    await expect(takeBackup(input)).rejects.toMatchObject({ code: 'STALLED', message: 'No byte moved for 0.4 s.' });
    held.release();
  });

  test('leaves no login file that other users may read', async () => {
    const held = heldAfterFirstBytes(bench.storage);
    const input = await bench.backup(engine, big(), { storage: held.storage });
    const attempt = takeBackup(input);
    await held.holding;
    const dump = childrenNamed('mariadb-dump')[0]!;
    const [cmdline, environment] = await Promise.all(
      ['cmdline', 'environ'].map((what) => readFile(`/proc/${dump.pid}/${what}`, 'utf8')),
    );
    expect(cmdline).not.toContain('pass');
    expect(environment!.split('\0').map((line) => line.split('=')[0])).toEqual(['PATH', 'LC_ALL', '']);
    held.release();
    await attempt;
  });
});

/** Random bytes do not compress, so no buffer of the pipeline can hold all of them. */
const bulk = `CREATE DATABASE bulk; USE bulk; CREATE TABLE noise (id INT PRIMARY KEY, b BLOB);
  INSERT INTO noise SELECT seq, RANDOM_BYTES(1024) FROM seq_1_to_40000;`;

function refusedBy(signal: AbortSignal): Error {
  return signal.reason as Error;
}

function complete(then: string): string {
  return `echo "-- MariaDB dump"; echo "CREATE TABLE t (a INT);"; echo "-- Dump completed on 2024-02-29"; ${then || 'true'}`;
}

/** The installed tool with other arguments, or with a command after it. */
function realDump(args: string): string {
  return `#!/bin/sh\nPATH=/usr/bin:/bin\nmariadb-dump ${args}\n`;
}

function fakeDump(script: string): string {
  return `#!/bin/sh\ncase "$1" in --version) echo "mariadb-dump Ver 10.19 Distrib 10.11.0-MariaDB"; exit;; esac\n${script}\n`;
}
