const units = ['kB', 'MB', 'GB', 'TB', 'PB'] as const;

/** Formats bytes for a person, in decimal units with at most three digits: `0 B`, `999 B`, `1.2 kB`, `34 MB`. */
export function formatBytes(bytes: number): string {
  if (bytes < 1_000) return `${bytes} B`;
  let amount = bytes;
  for (const unit of units) {
    amount /= 1_000;
    const rounded = amount < 9.95 ? amount.toFixed(1) : amount.toFixed(0);
    if (Number(rounded) < 1_000 || unit === 'PB') return `${rounded} ${unit}`;
  }
  return `${bytes} B`;
}
