import { type CronField, type CronFieldKind, withinField } from './cronField.js';

export type Misreading = {
  readonly problem: string;
  readonly hint: string;
  /** The suggestion for what to write instead, if there is one. */
  readonly instead?: string;
};

/** `with24`: the field contains hour 24. It means hour 0, but not whether of the same day or of the next day. */
export type CronFieldReading =
  { readonly field: CronField; readonly with24: boolean } | { readonly misread: Misreading };

/** Parses one field: a list of numbers, names, ranges and steps, or `*`, `?` and `L` if the field allows them. */
export function readCronField(kind: CronFieldKind, typed: string): CronFieldReading {
  const text = typed.toUpperCase();
  const isDayField = kind.name === 'dayOfMonth' || kind.name === 'dayOfWeek';
  if (text === '*' || (text === '?' && isDayField)) return { field: star(kind), with24: false };

  const elements = text.split(',');
  if (elements.length > 1 && elements.some((element) => element === '*' || element === '?'))
    return misread(kind, {
      problem: 'has a list that contains a star, and a star already means every value',
      instead: '*',
    });

  const written = new Set<number>();
  let lastDay = false;
  let starStep: number | undefined;
  for (const [index, element] of elements.entries()) {
    if (element === 'L' && kind.name === 'dayOfMonth') {
      lastDay = true;
      continue;
    }
    const result = readElement(kind, element);
    if ('problem' in result)
      return misread(
        kind,
        'hint' in result ? result : { ...result, instead: elements.with(index, result.instead).join(',') },
      );
    if (index === 0) starStep = result.starStep;
    for (const value of result.written) written.add(value);
  }
  return { field: fieldOf(kind, written, lastDay, starStep), with24: kind.name === 'hour' && written.has(24) };
}

function misread(kind: CronFieldKind, refusal: Refusal): { readonly misread: Misreading } {
  const problem = `The ${kind.label} ${refusal.problem}.`;
  if ('hint' in refusal) return { misread: { problem, hint: refusal.hint } };
  const { instead } = refusal;
  return { misread: { problem, hint: `Write \`${instead}\` as the ${kind.label}.`, instead } };
}

/** `problem` continues a sentence such as "The hour …". `instead` is the text that replaces the element. */
type Refusal =
  { readonly problem: string; readonly instead: string } | { readonly problem: string; readonly hint: string };
type Element = { readonly written: readonly number[]; readonly starStep?: number };

function readElement(kind: CronFieldKind, element: string): Element | Refusal {
  const [, range = '', stepText] = /^([^/]*)(?:\/(\d{1,4}))?$/.exec(element) ?? [];
  const step = stepText === undefined ? undefined : Number(stepText);
  if (range === '?')
    return { problem: 'has `?`, which is only allowed alone in a day field', instead: element.replace('?', '*') };
  if (range === '*' && step !== undefined)
    return refuseStep(kind, kind.min, kind.max, step) ?? { written: steps(kind.min, kind.max, step), starStep: step };

  const [, fromText = '', toText] = /^([A-Z]+|\d{1,4})(?:-([A-Z]+|\d{1,4}))?$/.exec(range) ?? [];
  const from = numberOf(kind, fromText);
  if (from === undefined) return refuseUnknown(kind, element);
  if (toText === undefined && step === undefined) return { written: [from] };

  const writtenTo = toText === undefined ? Math.max(kind.max, from) : numberOf(kind, toText);
  if (writtenTo === undefined) return refuseUnknown(kind, element);
  // At the end of a range SUN is 7, so that MON-SUN is a range.
  const to = toText === 'SUN' && from > 0 ? 7 : writtenTo;
  if (to < from) return refuseWrap(kind, from, to, step ?? 1, /[A-Z]/.test(fromText));
  const stepRefused = step === undefined ? undefined : refuseStep(kind, from, to, step);
  return stepRefused ?? { written: steps(from, to, step ?? 1) };
}

function numberOf(kind: CronFieldKind, text: string): number | undefined {
  const named = kind.names.indexOf(text);
  if (named >= 0) return kind.min + named;
  if (!/^\d+$/.test(text)) return undefined;
  const value = Number(text);
  return value >= kind.min && value <= kind.maxWritten ? value : undefined;
}

function refuseStep(kind: CronFieldKind, from: number, to: number, step: number): Refusal | undefined {
  if (step === 0) return { problem: 'has a step of 0', instead: from === to ? `${from}` : `${from}-${to}` };
  if (step === 1 || step <= to - from) return undefined;
  const only = withinField(kind, from);
  return { problem: `has a step of ${step}, but with ${from}-${to} only ${only} would match`, instead: `${only}` };
}

function refuseWrap(kind: CronFieldKind, from: number, to: number, step: number, named: boolean): Refusal {
  const size = kind.max - kind.min + 1;
  const start = withinField(kind, from);
  const unwrapped = steps(start, start <= to ? to : to + size, step);
  const values = unwrapped.map((value) => (value > kind.max ? value - size : value));
  const list = values.map((value) => (named ? (kind.names[value - kind.min] ?? '') : `${value}`));
  return { problem: `has a range that ends before it begins (${from}-${to})`, instead: list.join(',') };
}

function refuseUnknown(kind: CronFieldKind, element: string): Refusal {
  const name = kind.names.find((known) => /^[A-Z]{4,}$/.test(element) && element.startsWith(known));
  if (name !== undefined) return { problem: 'has a name that is not one of the three-letter names', instead: name };
  const allowed = allowedValues(kind);
  if (/^(\d{0,2}L|\d{0,2}W|LW|L-\d+|\w{1,3}#\d)$/.test(element))
    return {
      problem: 'uses a form that this dialect does not support',
      hint: `${allowed} \`L\` is only allowed in the day of month, without a number. \`W\` and \`#\` are not supported.`,
    };
  if (/^[\d/*-]+$/.test(element))
    return { problem: 'has a number out of range, or an incomplete range or step', hint: allowed };
  return { problem: 'cannot be read', hint: allowed };
}

function allowedValues(kind: CronFieldKind): string {
  const names = kind.names.length > 0 ? ` or ${kind.names[0] ?? ''}-${kind.names.at(-1) ?? ''}` : '';
  const last = kind.name === 'dayOfMonth' ? ', `L` for the last day' : '';
  return `The ${kind.label} accepts ${kind.min}-${kind.maxWritten}${names}${last}, lists like \`1,2\`, ranges like \`1-5\` and steps like \`*/2\`.`;
}

function star(kind: CronFieldKind): CronField {
  return { text: '*', values: steps(kind.min, kind.max, 1), lastDay: false, form: 'STAR' };
}

function fieldOf(
  kind: CronFieldKind,
  written: ReadonlySet<number>,
  lastDay: boolean,
  starStep: number | undefined,
): CronField {
  const values = [...new Set([...written].map((value) => withinField(kind, value)))].sort((a, b) => a - b);
  if (starStep === undefined) {
    const parts = [...(values.length > 0 ? [textOf(values)] : []), ...(lastDay ? ['L'] : [])];
    return { text: parts.join(','), values, lastDay, form: 'VALUES' };
  }
  const others = values.filter((value) => (value - kind.min) % starStep !== 0);
  const parts = [`*/${starStep}`, ...(others.length > 0 ? [textOf(others)] : []), ...(lastDay ? ['L'] : [])];
  return { text: parts.join(','), values, lastDay, form: parts.length === 1 ? 'STAR_STEP' : 'STAR_LIST' };
}

/** One range with a step if that is enough, otherwise a list in which three or more consecutive values become a range. */
function textOf(values: readonly number[]): string {
  const first = values[0] ?? 0;
  const step = (values[1] ?? first) - first;
  const even = values.every((value, index) => value === first + index * step);
  if (values.length > 5 && step > 1 && even) return `${first}-${values.at(-1) ?? first}/${step}`;
  const parts: string[] = [];
  for (let from = 0; from < values.length;) {
    let to = from;
    while (values[to + 1] === (values[to] ?? 0) + 1) to += 1;
    if (to - from >= 2) parts.push(`${values[from] ?? 0}-${values[to] ?? 0}`);
    else parts.push(...values.slice(from, to + 1).map(String));
    from = to + 1;
  }
  return parts.join(',');
}

function steps(from: number, to: number, step: number): number[] {
  const values: number[] = [];
  for (let value = from; value <= to; value += Math.max(step, 1)) values.push(value);
  return values;
}
