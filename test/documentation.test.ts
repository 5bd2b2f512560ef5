import { readFileSync } from 'node:fs';
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

describe('the documentation', () => {
  test('lists every setting as it is in the code, and no other', () => {
    expect(rowsOf('settings.md')).toEqual(Object.entries(settings).map(settingRow));
  });

  test('lists every error of the catalogue as it is in the code, and no other', () => {
    const rows = Object.entries(catalogue).map(
      ([code, { summary, help, retriable }]) => `| \`${code}\` | ${summary} | ${help} | ${retriable ? 'yes' : ''} |`,
    );
    expect(rowsOf('errors.md')).toEqual(rows);
  });
});
