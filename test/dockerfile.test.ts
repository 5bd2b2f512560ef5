import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Script } from 'node:vm';
import { describe, expect, test } from '@jest/globals';
import { readConfig } from '../src/config.js';
import { commandsRun, copies, isIgnored, of, packagesInstalled, parseDockerfile } from './fixtures/dockerfile.js';

// These tests build no image. They check the files for mistakes that would break the build or the image.
const root = new URL('../', import.meta.url);
const read = (path: string): string => readFileSync(new URL(path, root), 'utf8');
const stages = parseDockerfile(read('Dockerfile'));
const dockerignore = read('.dockerignore');
const final = stages.at(-1);

/** The programs of node:24-bookworm-slim (Debian's essential packages, Node and npm) that are used here. */
const inBaseImage = ['apt-get', 'chmod', 'chown', 'ln', 'mkdir', 'node', 'npm', 'rm'];
/** The Debian 12 package of each program that Stowage or the Dockerfile starts. */
const packageOf: Readonly<Record<string, string>> = {
  tini: 'tini',
  setpriv: 'util-linux',
  zstd: 'zstd',
  mariadb: 'mariadb-client',
  'mariadb-dump': 'mariadb-client',
  '/usr/share/postgresql-common/pgdg/apt.postgresql.org.sh': 'postgresql-common',
};

describe('The image', () => {
  test.each([
    ['MYSQL_CLIENTS', 'mysql'],
    ['MONGODB_TOOLS', 'mongodb'],
  ])('leaves clients out with the argument %s', (argument, engine) => {
    expect(read('Dockerfile')).toContain(`ARG ${argument}=with\n`);
    expect(stages.find(({ name }) => name === engine)?.image).toBe(`${engine}-\${${argument}}`);
    const named = (name: string) => stages.find((stage) => stage.name === `${engine}-${name}`);
    const copied = stages.filter((stage) => stage === named('with')).flatMap(copies);
    expect(copied.map(({ target }) => target)).toEqual(['/tools/']);
    expect(of(named('without'), 'RUN')).toEqual(['mkdir /tools']);
    expect(
      stages
        .slice(-1)
        .flatMap(copies)
        .map(({ from }) => from),
    ).toContain(engine);
  });

  test.each([
    ['mariadb-client', ['mariadb-dump', 'mariadb'], 0],
    ['nothing', [], 1],
    ['a client that does not start', ['mariadb-dump', 'broken mariadb'], 1],
  ])('checks the clients of a built image: with %s', async (_what, programs, expected) => {
    const folder = await mkdtemp(join(tmpdir(), 'stowage-image-'));
    for (const program of programs) {
      const exit = program.startsWith('broken') ? 127 : 0;
      const path = join(folder, program.replace('broken ', ''));
      await writeFile(path, `#!/bin/sh\necho "${program} 1.0"; exit ${exit}\n`, { mode: 0o755 });
    }
    for (const program of ['head', 'tail']) await symlink(`/usr/bin/${program}`, join(folder, program));
    const script = fileURLToPath(new URL('image/check-tools', root));
    const { status, stdout } = spawnSync('/bin/sh', [script, 'mariadb'], { env: { PATH: folder }, encoding: 'utf8' });
    expect({ status, lines: stdout.trim().split('\n').length }).toEqual({ status: expected, lines: 2 });
    await rm(folder, { recursive: true });
  });

  test('is built in stages from Debian with Node 24', () => {
    expect(stages.length).toBeGreaterThan(1);
    const names = stages.flatMap(({ name }) => (name === undefined ? [] : [name]));
    const isStage = (image: string) => names.some((name) => image.replace(/\$\{\w+\}/, 'with') === name);
    const images = stages.map(({ image }) => image).filter((image) => !isStage(image));
    expect(new Set(images)).toEqual(new Set(['node:24-bookworm-slim']));
  });

  test('copies only existing files that .dockerignore does not exclude', () => {
    const sources = stages.flatMap((stage) => copies(stage)).filter((each) => each.from === undefined);
    const paths = sources.flatMap((each) => each.sources).map((path) => path.replace(/^\.\//, ''));
    expect(paths).toContain('package-lock.json');
    expect(paths.filter((path) => !existsSync(new URL(path, root)))).toEqual([]);
    expect(paths.filter((path) => isIgnored(path, dockerignore))).toEqual([]);
  });

  test('copies from another stage only files that this stage created', () => {
    const build = stages.find((stage) => stage.name === 'build');
    if (build === undefined) throw new Error('no stage is called build');
    const created = [
      ...copies(build).flatMap((each) => each.sources.map((source) => source.replace(/^\.\//, ''))),
      'node_modules', // This is `npm ci`.
      'dist', // This is `npm run build`.
    ];
    const taken = copies(final ?? build).filter((each) => each.from === 'build');
    expect(taken.length).toBeGreaterThan(0);
    for (const path of taken.flatMap((each) => each.sources)) {
      expect(created).toContain(path.replace('/stowage/', ''));
    }
  });

  test('has every program that it starts, from its base or from an installed package', () => {
    for (const stage of stages) {
      const packages = packagesInstalled(stage);
      const unknown = commandsRun(stage).filter(
        (command) => !inBaseImage.includes(command) && !packages.includes(packageOf[command] ?? ''),
      );
      expect(unknown).toEqual([]);
    }
  });

  test('has every tool that a worker needs', () => {
    const packages = packagesInstalled(final ?? { image: '', name: undefined, instructions: [] });
    for (const tool of ['mariadb-dump', 'mariadb', 'zstd', 'setpriv', 'tini']) {
      expect(packages).toContain(packageOf[tool]);
    }
  });

  test('copies every file that the build reads', () => {
    const { include } = JSON.parse(read('tsconfig.build.json')) as { include: string[] };
    const copied = stages
      .flatMap((stage) => copies(stage))
      .flatMap((each) => each.sources.map((path) => path.replace(/^\.\//, '')));
    expect(include.filter((path) => existsSync(new URL(path, root)) && !copied.includes(path))).toEqual([]);
  });

  test('runs as the user `node`, and has an init as its first process', () => {
    // docs/settings.md: a container that starts as root runs each tool under a uid of its own.
    expect(of(final, 'USER')).toEqual([]);
    expect(JSON.parse(of(final, 'ENTRYPOINT')[0] ?? '[]')).toEqual(['tini', '--', 'as-service', 'node', 'stowage']);
    expect(JSON.parse(of(final, 'CMD')[0] ?? '[]')).toEqual(['serve']);
  });

  test('installs `stowage` at the path of the program in package.json', () => {
    const { bin } = JSON.parse(read('package.json')) as { bin: { stowage: string } };
    expect(of(final, 'RUN').join('\n')).toContain(`ln -s /stowage/${bin.stowage} /usr/local/bin/stowage`);
  });

  test('checks its health with a request to /healthz, with only node', () => {
    const check = of(final, 'HEALTHCHECK')[0] ?? '';
    const [program, flag, script] = JSON.parse(check.slice(check.indexOf('[', check.indexOf('CMD')))) as string[];
    expect([program, flag]).toEqual(['node', '-e']);
    expect(script).toContain('/healthz');
    expect(() => new Script(script ?? '')).not.toThrow();
  });

  test('sets only existing settings, to valid values', () => {
    const pairs = of(final, 'ENV').flatMap((text) =>
      text.split(' ').map((pair) => pair.split('=') as [string, string]),
    );
    const env = Object.fromEntries(pairs);
    expect(readConfig('up', env)).toMatchObject({ host: '0.0.0.0', port: 4000, dataFolder: '/var/lib/stowage' });
  });

  test('contains no test, no secret and no data of the machine that builds it', () => {
    for (const path of ['.env', '.git', 'data', 'node_modules', 'dist', 'test', 'src/config.test.ts']) {
      expect([path, isIgnored(path, dockerignore)]).toEqual([path, true]);
    }
    expect(isIgnored('src/main.ts', dockerignore)).toBe(false);
    expect(readdirSync(root)).toContain('LICENSE');
  });
});
