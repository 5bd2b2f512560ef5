import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { deciders } from '../fixtures/streams.js';
import type { AnyDecider } from '../../src/eventSourcing/decider.js';
import type { FrozenInstallation } from '../fixtures/installations/frozenInstallation.js';
import type { Shape } from './shape.js';

/**
 * One version of one type of event in its stored form. `golden/<type>@<version>.json` never changes after its release.
 */
export type GoldenEvent = {
  readonly streamType: string;
  readonly shape: Shape;
  /** Examples of the data, with every union and optional field that occurs. */
  readonly examples: readonly Data[];
};

export type StoredEvent = { readonly streamType: string; readonly name: string; readonly data: Data };
export type Data = Readonly<Record<string, unknown>>;

export const goldenFolder = join(import.meta.dirname, 'golden');

/** The key is `<type>@<version>`. */
export async function goldenEvents(): Promise<ReadonlyMap<string, GoldenEvent>> {
  const files = (await readdir(goldenFolder)).toSorted();
  return new Map(
    await Promise.all(
      files.map(async (file) => {
        const golden = JSON.parse(await readFile(join(goldenFolder, file), 'utf8')) as GoldenEvent;
        return [file.replace(/\.json$/, ''), golden] as const;
      }),
    ),
  );
}

export function deciderOf(streamType: string): AnyDecider {
  const decider = deciders.find((each) => each.streamType === streamType);
  if (decider === undefined) throw new Error(`No decider reads streams of ${streamType}.`);
  return decider;
}

/** Every event in the log of a frozen installation. */
export function frozenEvents({ databaseSql }: Pick<FrozenInstallation, 'databaseSql'>): readonly StoredEvent[] {
  const [, rows = ''] = databaseSql.split('INSERT INTO public.events OVERRIDING SYSTEM VALUE VALUES\n');
  const row = /^\t\(\d+, '[^']+', '[^']+', '(\w+)', \d+, '(\w+)', (\d+), '((?:[^']|'')*)', /gm;
  const [table = ''] = rows.split(/;\n\n/);
  return [...table.matchAll(row)].map(([, streamType = '', type = '', version = '', data = '']) => ({
    streamType,
    name: `${type}@${version}`,
    data: JSON.parse(data.replaceAll("''", "'")) as Data,
  }));
}
