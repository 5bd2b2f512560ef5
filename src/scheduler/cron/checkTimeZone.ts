import { badInput } from '../../errors.js';

/**
 * The IANA name of a time zone. If only the case differs, it is the spelling of the JavaScript engine. Throws BAD_INPUT for
 * anything else (offsets, abbreviations, misspellings), with the name that was probably meant.
 */
export function checkTimeZone(name: string, path = 'timeZone'): string {
  const typed = name.trim();
  const known = listedZones().get(typed.toLowerCase());
  if (known !== undefined) return known;
  if (isIanaName(typed)) return typed;
  throw badInput([{ path, problem: 'This is not the IANA name of a time zone.', hint: hintFor(typed) }]);
}

let listed: ReadonlyMap<string, string> | undefined;

/** The list of the engine, by name in lower case, without UTC and older spellings. Cached, because it takes 11 ms. */
function listedZones(): ReadonlyMap<string, string> {
  listed ??= new Map(['UTC', ...Intl.supportedValuesOf('timeZone')].map((zone) => [zone.toLowerCase(), zone]));
  return listed;
}

/**
 * The engine accepts these names of early Java versions, and reads BST as Bangladesh time. They are not in the IANA
 * database. https://unicode-org.github.io/icu/userguide/datetime/timezone/
 */
const onlyInIcu = new Set(
  'ACT AET AGT ART AST BET BST CAT CNT CST CTT EAT ECT IET IST JST MIT NET NST PLT PNT PRT PST SST VST'.split(' '),
);

function isIanaName(name: string): boolean {
  if (!/^[A-Za-z][A-Za-z0-9_+/-]{1,63}$/.test(name)) return false;
  if (onlyInIcu.has(name.toUpperCase()) || name.toLowerCase().startsWith('systemv/')) return false;
  try {
    new Intl.DateTimeFormat('en-US', { timeZone: name });
    return true;
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}

function hintFor(typed: string): string {
  const offset = /^(?:utc|gmt)?\s*[+-]\d{1,2}(?::?\d{2})?$/i.test(typed);
  if (offset) return 'An offset has no daylight saving time. Write the place, for example Europe/Berlin, or UTC.';
  const near = nearest(typed);
  if (near !== undefined) return `Write ${near}.`;
  return 'Write the area and place, for example Europe/Berlin or America/New_York, or UTC.';
}

function nearest(typed: string): string | undefined {
  const wanted = comparable(typed.slice(0, 64));
  if (wanted.length < 3) return undefined;
  const [best] = [...listedZones().values()]
    .map((zone) => {
      const place = zone.slice(zone.lastIndexOf('/') + 1);
      return {
        zone,
        distance: Math.min(editDistance(wanted, comparable(zone)), editDistance(wanted, comparable(place))),
      };
    })
    .sort((a, b) => a.distance - b.distance);
  return best !== undefined && best.distance <= Math.floor(wanted.length / 4) ? best.zone : undefined;
}

const comparable = (name: string) => name.toLowerCase().replaceAll(/[^a-z]/g, '');

/** Levenshtein's distance. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row.at(-1) ?? 0;
}
