/** Every version of every event that was ever stored stays readable. No shape changes without a new version. */
import { describe, expect, test } from '@jest/globals';
import { upcast } from '../../src/eventSourcing/upcasting.js';
import { frozenVersions, readFrozenInstallation } from '../fixtures/installations/frozenInstallation.js';
import { eventShapes, type EventShape } from './eventShapes.js';
import { deciderOf, frozenEvents, goldenEvents } from './goldenEvents.js';
import { misfits } from './shape.js';

const golden = await goldenEvents();
const shapes = eventShapes();
const installations = await Promise.all((await frozenVersions()).map(readFrozenInstallation));

const parts = (name: string) => {
  const [type = '', version = ''] = name.split('@');
  return { type, version: Number(version) };
};
const shapeToday = (type: string): EventShape => {
  const today = shapes.get(type);
  if (today === undefined) throw new Error(`No decider knows ${type} any more, but logs hold such events.`);
  return today;
};

test.each([...shapes])('%s has the shape of its golden file', (type, { streamType, version, shape }) => {
  const name = `${type}@${version}`;
  const file = golden.get(name);
  // If this fails: give the event a new version in `schemaVersions`, write its upcaster, and run `npm run
  // golden-events`.
  expect({ name, streamType: file?.streamType, shape: file?.shape }).toEqual({ name, streamType, shape });
});

describe.each([...golden])('golden %s', (name, { streamType, shape, examples }) => {
  const { type, version } = parts(name);

  test('has examples with its shape', () => {
    expect(examples).not.toEqual([]);
    expect(examples.flatMap((data) => misfits(data, shape, type))).toEqual([]);
  });

  test('can be read in the current shape', () => {
    const read = examples.map((data) => upcast(deciderOf(streamType), type, { schemaVersion: version, data }));
    const today = shapeToday(type);
    expect(new Set(read.map(({ schemaVersion }) => schemaVersion))).toEqual(new Set([today.version]));
    expect(read.flatMap(({ data }) => misfits(data, today.shape, type))).toEqual([]);
  });

  test('has a file for each earlier version', () => {
    expect([...Array(version).keys()].filter((before) => !golden.has(`${type}@${before + 1}`))).toEqual([]);
  });
});

test.each(installations.map((frozen) => [frozen.about.programVersion, frozen] as const))(
  'every event of the installation %s has the shape of its golden file',
  (_version, frozen) => {
    const events = frozenEvents(frozen);
    expect(new Set(events.map(({ name }) => parts(name).type))).toEqual(new Set(frozen.about.eventTypes));
    const wrong = events.flatMap(({ name, data }) => {
      const shape = golden.get(name)?.shape;
      return shape === undefined ? [`${name} has no golden file`] : misfits(data, shape, name);
    });
    expect(wrong).toEqual([]);
  },
);
