/** The text of a server or a tool as the end of a sentence: with exactly one full stop. */
export function asSentence(text: string): string {
  return `${text.replace(/[\s.]+$/, '')}.`;
}
