import { describe, expect, test } from '@jest/globals';
import { compressedSizesIn } from './compressedSizes.js';

describe("zstd's closing line", () => {
  test('gives the exact sizes, as zstd 1.5 and as 1.4 write it', () => {
    const sizes = { plainBytes: 10_000_001, compressedBytes: 10_000_242 };
    expect(compressedSizesIn('/*stdin*\\            :100.00%   (10000001 B => 10000242 B, /*stdout*\\) ')).toEqual(
      sizes,
    );
    expect(compressedSizesIn('/*stdin*\\            :100.00%   (10000001 => 10000242 bytes, /*stdout*\\) ')).toEqual(
      sizes,
    );
    expect(compressedSizesIn('/*stdin*\\            :  (     0 B =>     13 B, /*stdout*\\) ')).toEqual({
      plainBytes: 0,
      compressedBytes: 13,
    });
  });

  test('is not taken for exact where the sizes are rounded, and other lines are none', () => {
    expect(compressedSizesIn('/*stdin*\\ :100.00%   (  9.54 MiB =>   9.54 MiB, /*stdout*\\) ')).toBeUndefined();
    expect(compressedSizesIn('Decompression will require 2097152 B of memory')).toBeUndefined();
  });
});
