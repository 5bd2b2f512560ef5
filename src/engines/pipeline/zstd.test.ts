import { describe, expect, test } from '@jest/globals';
import { zstdTotal } from './zstd.js';

describe("zstd's closing line", () => {
  test('gives the exact sizes in the formats of zstd 1.5 and 1.4', () => {
    const total = { read: 10_000_001, written: 10_000_242 };
    expect(zstdTotal('/*stdin*\\            :100.00%   (10000001 B => 10000242 B, /*stdout*\\) ')).toEqual(total);
    expect(zstdTotal('/*stdin*\\            :100.00%   (10000001 => 10000242 bytes, /*stdout*\\) ')).toEqual(total);
    expect(zstdTotal('/*stdin*\\            :  (     0 B =>     13 B, /*stdout*\\) ')).toEqual({
      read: 0,
      written: 13,
    });
  });

  test('gives the number of bytes that a decompressor wrote', () => {
    expect(zstdTotal('/*stdin*\\           : 3000000 bytes ')).toEqual({ read: undefined, written: 3_000_000 });
  });

  test('gives no exact size if the sizes are rounded, and no other line counts as a closing line', () => {
    expect(zstdTotal('/*stdin*\\ :100.00%   (  9.54 MiB =>   9.54 MiB, /*stdout*\\) ')).toBeUndefined();
    expect(zstdTotal('Decompression will require 2097152 B of memory')).toBeUndefined();
  });
});
