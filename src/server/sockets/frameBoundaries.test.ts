import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { FrameBoundaries } from './frameBoundaries.js';

const text = 1;
const ping = 9;

/** A masked frame, as clients send it. */
function frame({ opcode, fin, length }: { opcode: number; fin: boolean; length: number }): Buffer {
  const first = (fin ? 0x80 : 0) | opcode;
  const head =
    length < 126
      ? Buffer.from([first, 0x80 | length])
      : length < 65_536
        ? Buffer.from([first, 0xfe, length >> 8, length & 0xff])
        : Buffer.from([first, 0xff, 0, 0, 0, 0, 0, length >> 16, (length >> 8) & 0xff, length & 0xff]);
  return Buffer.concat([head, Buffer.from([1, 2, 3, 4]), Buffer.alloc(length, 0x8a)]);
}

/** A message in fragments, with a ping between them. */
const message = fc
  .array(fc.constantFrom(0, 1, 125, 126, 300, 65_535, 70_000), { minLength: 1, maxLength: 3 })
  .map((lengths) =>
    Buffer.concat(
      lengths.flatMap((length, index) => [
        ...(index === 0 ? [] : [frame({ opcode: ping, fin: true, length: 4 })]),
        frame({ opcode: index === 0 ? text : 0, fin: index === lengths.length - 1, length }),
      ]),
    ),
  );

test('a message is incomplete until its last byte, however its bytes are divided', () => {
  fc.assert(
    fc.property(fc.array(message, { minLength: 1, maxLength: 3 }), fc.array(fc.nat(70_000)), (messages, cuts) => {
      const bytes = Buffer.concat(messages);
      const frames = new FrameBoundaries();
      let at = 0;
      for (const length of [...cuts, bytes.length]) {
        const end = Math.min(at + length, bytes.length - 1);
        frames.read(bytes.subarray(at, end));
        at = end;
      }
      expect(frames.isBetweenMessages).toBe(false);
      frames.read(bytes.subarray(at));
      expect(frames.isBetweenMessages).toBe(true);
    }),
  );
});

test('a ping alone is no message', () => {
  const frames = new FrameBoundaries();
  frames.read(frame({ opcode: ping, fin: true, length: 4 }));
  expect(frames.isBetweenMessages).toBe(true);
});
