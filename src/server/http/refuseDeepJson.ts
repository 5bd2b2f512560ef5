import { StowageError } from '../../errors.js';

/** Levels of objects and lists in a body. Inputs of the API have far fewer. */
export const mostJsonLevels = 100;

const quote = 0x22;
const backslash = 0x5c;

/**
 * Throws TOO_COMPLEX if a body of JSON has too many levels. Parsing many levels takes much longer than counting them. For bytes that are
 * not JSON the count has no meaning, and the parser refuses them.
 */
export function refuseDeepJson(body: Buffer): void {
  let levels = 0;
  let isText = false;
  for (let at = 0; at < body.length; at += 1) {
    const byte = body[at];
    if (isText) {
      if (byte === backslash) at += 1;
      else if (byte === quote) isText = false;
    } else if (byte === quote) isText = true;
    else if (byte === 0x5b || byte === 0x7b) {
      levels += 1;
      if (levels > mostJsonLevels) throw tooDeep();
    } else if (byte === 0x5d || byte === 0x7d) levels -= 1;
  }
}

function tooDeep(): StowageError {
  return new StowageError('TOO_COMPLEX', `The request has more than ${mostJsonLevels} levels of objects and lists.`, {
    details: { limit: 'levels', most: mostJsonLevels },
  });
}
