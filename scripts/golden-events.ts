/**
 * golden-events - writes a golden file for each version of an event that has none.
 *
 *  npm run golden-events
 *
 * Run it after a new type of event, or after a new version of one. Raise `schemaVersions` of the decider and write the
 * upcaster first. The examples of a new version are those of the version before, upcast. The examples of a new type are
 * those of the frozen installations, if there are any. Complete the examples by hand. No existing file is changed,
 * because the logs of installations hold such events.
 *
 *  -h, --help this text
 */
import 'reflect-metadata';
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as prettier from 'prettier';
import { upcast } from '../src/eventSourcing/upcasting.js';
import { eventShapes } from '../test/events/eventShapes.js';
import { deciderOf, frozenEvents, goldenEvents, goldenFolder, type Data } from '../test/events/goldenEvents.js';
import { frozenVersions, readFrozenInstallation } from '../test/fixtures/installations/frozenInstallation.js';

if (process.argv.some((argument) => argument === '-h' || argument === '--help')) {
  const [, help = ''] = /^\/\*\*\n(.*?)\n \*\/$/ms.exec(readFileSync(import.meta.filename, 'utf8')) ?? [];
  process.stdout.write(`${help.replace(/^ \* ?/gm, '')}\n`);
} else {
  await writeMissing();
}

async function writeMissing(): Promise<void> {
  const golden = await goldenEvents();
  const installations = await Promise.all((await frozenVersions()).map(readFrozenInstallation));
  const stored = installations.flatMap(frozenEvents);
  for (const [type, { streamType, version, shape }] of eventShapes()) {
    const name = `${type}@${version}`;
    if (golden.has(name)) continue;
    const schemaVersion = version - 1;
    const upgraded = golden
      .get(`${type}@${schemaVersion}`)
      ?.examples.map((data) => upcast(deciderOf(streamType), type, { schemaVersion, data }).data);
    const examples = upgraded ?? varied(stored.filter((event) => event.name === name).map(({ data }) => data));
    const text = await prettier.format(JSON.stringify({ streamType, shape, examples }), {
      parser: 'json',
      printWidth: 120,
    });
    await writeFile(join(goldenFolder, `${name}.json`), text);
    process.stdout.write(`test/events/golden/${name}.json with ${examples.length} examples\n`);
  }
}

/** Keeps the examples that have a field, or a type of value in it, that no earlier example has. */
function varied(all: readonly Data[]): readonly Data[] {
  const seen = new Set<string>();
  return all.filter((data) => {
    const before = seen.size;
    for (const path of valuePaths(data, '')) seen.add(path);
    return seen.size > before;
  });
}

function valuePaths(value: unknown, path: string): readonly string[] {
  if (Array.isArray(value)) return value.flatMap((each) => valuePaths(each, `${path}[]`));
  if (typeof value !== 'object' || value === null) return [`${path} ${value === null ? 'null' : typeof value}`];
  return Object.entries(value).flatMap(([key, each]) => valuePaths(each, `${path}.${key}`));
}
