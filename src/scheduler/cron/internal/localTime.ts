/** ISO 8601 with the offset from UTC, `2026-03-29T03:00:00+02:00`. Both arguments are seconds. */
export function localTime(second: number, offset: number): string {
  const local = new Date((second + offset) * 1000).toISOString().slice(0, 19);
  return `${local}${offset < 0 ? '-' : '+'}${clockTime(Math.abs(offset))}`;
}

/** Formats seconds from midnight: `05:30`, or `05:30:15` if there are seconds. */
export function clockTime(seconds: number): string {
  const parts = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  if (seconds % 60 !== 0) parts.push(seconds % 60);
  return parts.map((part) => String(part).padStart(2, '0')).join(':');
}
