import { expect, test } from '@jest/globals';
import { FairPlaces } from './fairPlaces.js';

/** Records who has got a place, in order. `end` gives the oldest place of a key back. */
function placesFor(most: number) {
  const places = new FairPlaces(most);
  const got: string[] = [];
  const held: { readonly name: string; readonly leave: () => void }[] = [];
  const enterAs = (name: string, key: string | undefined) =>
    places.enter(key, (leave) => {
      got.push(name);
      held.push({ name, leave });
    });
  return {
    got,
    enter: (name: string) => enterAs(name, name),
    enterAs,
    end: (name: string) => {
      const index = held.findIndex((each) => each.name === name);
      held.splice(index, 1)[0]?.leave();
    },
  };
}

test('one key leaves two places to the others', () => {
  const { got, enter } = placesFor(4);
  for (let count = 0; count < 10; count += 1) enter('greedy');
  expect(got).toEqual(['greedy', 'greedy']);
  enter('other');
  expect(got).toEqual(['greedy', 'greedy', 'other']);
});

test('a free place goes to the key that holds the fewest, and not to the one that waits longest', () => {
  const { got, enter, end } = placesFor(4);
  for (let count = 0; count < 3; count += 1) for (const name of ['a', 'b']) enter(name);
  expect(got).toEqual(['a', 'b', 'a', 'b']);
  enter('quiet');
  end('a');
  expect(got.at(-1)).toBe('quiet');
});

test('work without a key may hold every place', () => {
  const { got, enterAs } = placesFor(3);
  for (let count = 0; count < 5; count += 1) enterAs('own', undefined);
  expect(got).toEqual(['own', 'own', 'own']);
});

test('who gave up gets no place, and a place that is given back twice is free once', () => {
  const places = new FairPlaces(1);
  const got: string[] = [];
  let leave: () => void = () => undefined;
  places.enter('a', (given) => (leave = given));
  const giveUp = places.enter('b', () => got.push('b'));
  places.enter('c', () => got.push('c'));
  places.enter('d', () => got.push('d'));
  giveUp();
  leave();
  leave();
  expect(got).toEqual(['c']);
});
