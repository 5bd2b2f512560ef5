import { isIP } from 'node:net';
import { badInput, type FieldProblem } from '../errors.js';
import { formatDuration } from '../duration.js';

/** Returns the problem of a value and what to write instead, without repeating the value; undefined if it is valid. */
export type Rule<Value> = (value: Value) => { readonly problem: string; readonly hint: string } | undefined;

/**
 * Collects every problem of an input, so that a client gets them all at once:
 *
 *     const problems = new InputProblems();
 *     problems.check('input.name', input.name, entityName);
 *     problems.check('input.port', input.port, port);
 *     problems.checkList('input.databases', input.databases, { atLeast: 1, atMost: 500, unique: true }, databaseName);
 *     problems.throwIfAny();
 */
export class InputProblems {
  readonly #fields: FieldProblem[] = [];

  /** Applies the rules in turn until one fails. An absent value or null passes: the schema defines what is required. */
  check<Value>(path: string, value: Value | null | undefined, ...rules: readonly Rule<Value>[]): this {
    if (value === undefined || value === null) return this;
    for (const rule of rules) {
      const found = rule(value);
      if (found === undefined) continue;
      this.#fields.push({ path, ...found });
      break;
    }
    return this;
  }

  /** Checks the list itself and then each item under `path.index`. */
  checkList<Item>(
    path: string,
    items: readonly Item[] | null | undefined,
    bounds: ListBounds,
    ...rules: readonly Rule<Item>[]
  ): this {
    if (items === undefined || items === null) return this;
    this.check(path, items, listWithin(bounds));
    // The items of a list that is too long are not checked: there could be a million problems.
    if (items.length > bounds.atMost) return this;
    for (const [index, item] of items.entries()) this.check(`${path}.${index}`, item, ...rules);
    return this;
  }

  add(path: string, problem: string, hint: string): this {
    this.#fields.push({ path, problem, hint });
    return this;
  }

  /** Everything found so far. */
  get fields(): readonly FieldProblem[] {
    return this.#fields;
  }

  /** Throws BAD_INPUT with all problems. */
  throwIfAny(): void {
    if (this.#fields.length > 0) throw badInput(this.#fields);
  }
}

/** Text of `least` to `most` characters (code points) without control characters and without space at either end. */
export function text(least: number, most: number): Rule<string> {
  return (value) => {
    const characters = value.length > most * 2 ? most + 1 : Array.from(value).length;
    const hint = `Write ${least} to ${most} printable characters.`;
    if (characters < least) return { problem: least === 1 ? 'is empty' : `is shorter than ${least} characters`, hint };
    if (characters > most) return { problem: `is longer than ${most} characters`, hint };
    if (invisible.test(value)) return { problem: 'contains control or invisible characters', hint };
    if (value.trim() !== value) return { problem: 'begins or ends with a space', hint: 'Remove these spaces.' };
    return undefined;
  };
}

/** Control, format (zero width, bidirectional overrides), surrogate and private-use characters, line separators. */
const invisible = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}]/u;

/** The name of a project, service, file endpoint or plan: 1 to 100 printable characters. */
export const entityName: Rule<string> = text(1, 100);

/** Text that is used as an argument of a program or as a user name: 1 to 255 printable characters, no leading dash. */
export const plainText: Rule<string> = (value) =>
  text(1, 255)(value) ??
  (value.startsWith('-')
    ? { problem: 'begins with a dash', hint: 'A program would read it as an option. Remove the dash.' }
    : undefined);

/** A DNS name or an IP address (RFC 1123). Underscores are allowed too, because container networks use them. */
export const hostName: Rule<string> = (value) => {
  const hint = 'Write only a host name or an IP address, for example db.example.org or 192.0.2.7.';
  if (value === '') return { problem: 'is empty', hint };
  if (value.length > 253) return { problem: 'is longer than 253 characters', hint };
  if (value.startsWith('-')) return { problem: 'begins with a dash', hint };
  if (isIP(value) !== 0) return undefined;
  if (/^[\d.]+$/.test(value)) return { problem: 'is not an IP address', hint };
  const label = /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/i;
  const labels = value.replace(/\.$/, '').split('.');
  return labels.every((part) => label.test(part)) ? undefined : { problem: 'is not a host name', hint };
};

export const port: Rule<number> = integerWithin(1, 65_535);

export function integerWithin(least: number, most: number): Rule<number> {
  return (value) =>
    Number.isInteger(value) && value >= least && value <= most
      ? undefined
      : { problem: `is not from ${least} to ${most}`, hint: `Write a whole number from ${least} to ${most}.` };
}

/** A duration in milliseconds, as the Duration scalar parses it. */
export function durationWithin(leastMs: number, mostMs: number): Rule<number> {
  const range = `from ${formatDuration(leastMs)} to ${formatDuration(mostMs)}`;
  return (value) =>
    value >= leastMs && value <= mostMs
      ? undefined
      : { problem: `is not ${range}`, hint: `Write a duration ${range}.` };
}

/** A UUID, as ids and command ids are. */
export const uuid: Rule<string> = (value) =>
  isUuid(value)
    ? undefined
    : { problem: 'is not a UUID', hint: 'Send a UUID such as 3f0c2b1e-8a4d-4c7e-9b1a-5d2e6f7a8b9c.' };

export function isUuid(value: string): boolean {
  return /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i.test(value);
}

export type ListBounds = { readonly atLeast: number; readonly atMost: number; readonly unique?: boolean };

export function listWithin({ atLeast, atMost, unique = false }: ListBounds): Rule<readonly unknown[]> {
  return (items) => {
    if (items.length < atLeast) {
      const problem = items.length === 0 ? 'is an empty list' : `has fewer than ${atLeast} items`;
      return { problem, hint: `List at least ${atLeast}.` };
    }
    if (items.length > atMost) return { problem: `has more than ${atMost} items`, hint: `List at most ${atMost}.` };
    if (unique && new Set(items).size < items.length) {
      return { problem: 'contains the same item twice', hint: 'List each item only once.' };
    }
    return undefined;
  };
}

/**
 * Adds a problem for each of these fields that is `null` in a patch: they have no default. (Absent fields are unchanged.)
 */
export function refuseNulls<Patch extends object>(
  problems: InputProblems,
  path: string,
  patch: Patch,
  fields: readonly (keyof Patch & string)[],
): void {
  for (const field of fields) {
    if (patch[field] !== null) continue;
    problems.add(`${path}.${field}`, 'cannot be null', 'Omit it to keep its value, or send a new value.');
  }
}
