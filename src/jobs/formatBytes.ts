const units = ['kB', 'MB', 'GB', 'TB', 'PB'];

/** Bytes for a person, in decimal units with three digits at most: `0 B`, `999 B`, `1.2 kB`, `34 MB`. */
export function formatBytes(bytes: number): string {
  if (bytes < 1_000) return `${bytes} B`;
  const exponent = Math.min(Math.floor(Math.log10(bytes) / 3), units.length);
  const amount = bytes / 1_000 ** exponent;
  return `${amount < 10 ? amount.toFixed(1) : Math.round(amount)} ${units[exponent - 1] ?? ''}`;
}
