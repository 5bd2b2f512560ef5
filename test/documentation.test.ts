import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { catalogue } from '../src/errors.js';
import { settings, type Setting } from '../src/settings.js';

/** The rows of the Markdown tables in a page whose first cell is a name in backticks. */
function rowsOf(page: string): string[] {
  const text = readFileSync(new URL(`../docs/${page}`, import.meta.url), 'utf8');
  return text.split('\n').filter((line) => /^\| `/.test(line));
}

function settingRow([name, setting]: readonly [string, Setting]): string {
  const byRole = setting.roles.filter((role) => setting.default[role] !== undefined);
  const defaults = byRole.map((role) => `${role}: ${setting.default[role] ?? ''}`);
  if (byRole.length < setting.roles.length) defaults.push(setting.default.otherwise ?? 'required');
  const cells = [setting.roles.join(', '), setting.meaning, setting.holds, defaults.join('; otherwise ')];
  return `| \`${name}\` | ${cells.join(' | ')} | ${setting.secret ? 'yes' : ''} |`;
}

const repository = join(import.meta.dirname, '..');
const pages = [
  ...['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md'],
  ...readdirSync(join(repository, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.md'))
    .map((path) => join('docs', path)),
];

/** The page without its fenced blocks and code spans, in which brackets are no links. */
function proseOf(page: string): string {
  return readFileSync(join(repository, page), 'utf8').replaceAll(/^ *```.*?^ *```$/gms, '');
}

/** The anchors that GitHub gives to the headings of a page. */
function anchorsOf(page: string): ReadonlySet<string> {
  const anchors = new Set<string>();
  for (const [, heading = ''] of proseOf(page).matchAll(/^#+ (.*)$/gm)) {
    const anchor = heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\p{M}_ -]/gu, '')
      .replaceAll(' ', '-');
    let unique = anchor;
    for (let count = 1; anchors.has(unique); count += 1) unique = `${anchor}-${count}`;
    anchors.add(unique);
  }
  return anchors;
}

describe('The documentation', () => {
  test.each(pages)('in %s has no link to a missing file or heading', (page) => {
    const broken: string[] = [];
    for (const [, link = ''] of proseOf(page)
      .replaceAll(/`[^`]*`/g, '')
      .matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:/.test(link)) continue;
      const [path = '', anchor] = link.split('#');
      const target = path === '' ? page : join(dirname(page), path);
      if (!existsSync(join(repository, target))) broken.push(link);
      else if (anchor !== undefined && !anchorsOf(target).has(anchor)) broken.push(link);
    }
    expect(broken).toEqual([]);
  });

  test('lists exactly the settings of the code', () => {
    expect(rowsOf('settings.md')).toEqual(Object.entries(settings).map(settingRow));
  });

  test('lists exactly the errors of the catalogue', () => {
    const rows = Object.entries(catalogue).map(
      ([code, { summary, help, retriable }]) => `| \`${code}\` | ${summary} | ${help} | ${retriable ? 'yes' : ''} |`,
    );
    expect(rowsOf('errors.md')).toEqual(rows);
  });
});
