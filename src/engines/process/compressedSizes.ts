/** What zstd itself counted. A byte that was lost on the way to it, or from it to us, shows here. */
export type CompressedSizes = { readonly plainBytes: number; readonly compressedBytes: number };

/**
 * Reads zstd's closing line, for example `(stdin) : 24.16%   (10000001 B => 2415003 B, (stdout))`; before zstd 1.5 it
 * says `(10000001 => 2415003 bytes, …`. Undefined for any other line, and where the figures are rounded.
 */
export function compressedSizesIn(line: string): CompressedSizes | undefined {
  const found = /\(\s*(\d+)(?: B)? =>\s*(\d+) (?:B|bytes),/.exec(line);
  return found === null ? undefined : { plainBytes: Number(found[1]), compressedBytes: Number(found[2]) };
}
