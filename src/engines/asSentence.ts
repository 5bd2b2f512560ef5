/** What a server or a tool said, as the end of a sentence of ours: with one full stop, however it ended. */
export function asSentence(text: string): string {
  return `${text.replace(/[\s.]+$/, '')}.`;
}
