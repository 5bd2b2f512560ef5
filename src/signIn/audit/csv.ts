/**
 * A line of CSV (RFC 4180). A cell that a spreadsheet would read as a formula begins with an apostrophe, because names of
 * people and of tokens come from outside.
 */
export function csvLine(cells: readonly (string | number | null)[]): string {
  return `${cells.map((cell) => quoted(String(cell ?? ''))).join(',')}\r\n`;
}

/** Also the full-width signs, which some spreadsheets read as the plain ones. */
const formula = /^[\s\0]*[=+\-@＝＋－＠]|^[\t\r\n]/;

function quoted(text: string): string {
  return `"${(formula.test(text) ? `'${text}` : text).replaceAll('"', '""')}"`;
}
