/** The metadata of every event that was ever stored stays readable. It has no version, so its shape may only grow. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import type { EventMetadata, RecordedEvent } from '../../src/eventSourcing/event.js';
import { EventType } from '../../src/history/eventType.js';
import { metadataShape } from './eventShapes.js';
import { misfits, type Shape } from './shape.js';

type Golden = { readonly shape: Record<string, Shape>; readonly examples: readonly EventMetadata[] };

const folder = join(import.meta.dirname, 'metadata');
const versions = readdirSync(folder)
  .toSorted()
  .map((file) => [file, JSON.parse(readFileSync(join(folder, file), 'utf8')) as Golden] as const);
const newest = versions.at(-1)?.[1];

test('metadata has the shape of the newest file', () => {
  // If this fails: add a file with the new shape and examples. Never change an existing file.
  expect(metadataShape()).toEqual(newest?.shape);
});

describe.each(versions)('metadata/%s', (_file, { shape, examples }) => {
  test('has examples with its shape, and also with the newest shape', () => {
    expect(examples).not.toEqual([]);
    expect(examples.flatMap((each) => [...misfits(each, shape), ...misfits(each, newest?.shape ?? {})])).toEqual([]);
  });
});

test('what an older event did not record is unknown', () => {
  const [, oldest] = versions[0] ?? [];
  const shown = oldest?.examples.map((metadata) => {
    const event = { type: 'BackupReleased', data: {}, projectId: '', metadata } as unknown as RecordedEvent;
    const { actorKind, actorName, operation } = EventType.of(event);
    return [actorKind, actorName, operation];
  });
  expect(shown).toEqual(oldest?.examples.map(() => ['UNKNOWN', 'unknown', null]));
});
