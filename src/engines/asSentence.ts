/** The text of a server or a tool, with exactly one full stop at its end. */
export function asSentence(text: string): string {
  return `${text.replace(/[\s.]+$/, '')}.`;
}
