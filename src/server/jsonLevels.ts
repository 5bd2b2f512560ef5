/** The most levels of arrays and objects in the JSON of a request. The deepest input of the API has fewer than ten. */
export const jsonLevels = 100;

const [quote, backslash, openArray, closeArray, openObject, closeObject] = Buffer.from('"\\[]{}');

/**
 * Whether a JSON text in UTF-8 has too many levels. Call it before the text is parsed: `JSON.parse` blocks the event loop
 * for tens of milliseconds at 300,000 levels in 600 kB. The text may be invalid JSON.
 */
export function hasTooManyLevels(json: Uint8Array): boolean {
  let levels = 0;
  for (let at = 0; at < json.length; at += 1) {
    const byte = json[at];
    if (byte === quote) at = endOfString(json, at);
    else if (byte === openArray || byte === openObject) {
      levels += 1;
      if (levels > jsonLevels) return true;
    } else if (byte === closeArray || byte === closeObject) levels -= 1;
  }
  return false;
}

/** The place of the quote that ends the string that begins at `start`. */
function endOfString(json: Uint8Array, start: number): number {
  for (let at = start + 1; at < json.length; at += 1) {
    if (json[at] === backslash) at += 1;
    else if (json[at] === quote) return at;
  }
  return json.length;
}
