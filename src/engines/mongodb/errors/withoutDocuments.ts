import { leftOut, withoutQuoted } from '../../../withoutValues.js';

/**
 * A sentence of the server or a tool without the documents and values that it repeats. The text from the first brace on
 * may be a document (`dup key: { email: "…" }`). Names in backticks stay, and so do addresses without a login.
 */
export function withoutDocuments(sentence: string): string {
  const plain = sentence
    .replace(/\bmongodb(?:\+srv)?:\/\/[^\s,"'`]*/g, 'the server')
    // The driver of the tools appends its number of the connection in brackets, which is no document.
    .replace(/\bconnection\(([\w.:-]+)\[-?\d+\]\)/g, 'connection($1)');
  const brace = plain.search(/[{[]/);
  const cut = brace < 0 ? plain : `${plain.slice(0, brace)}${leftOut}`;
  return withoutQuoted(cut);
}
