/**
 * Reads BSON as bytes (bsonspec.org). A parsed object would lose the order of names like `1`, names that occur twice,
 * and types that JavaScript does not have.
 */
export type BsonField = {
  /** The type's number, for example 0x10 for a 32-bit integer. */
  readonly type: number;
  readonly name: string;
  readonly value: Buffer;
};

/** The fields of a document in their order. Throws a RangeError for bytes that are not a document. */
export function bsonFields(document: Buffer): readonly BsonField[] {
  const fields: BsonField[] = [];
  const end = lengthAt(document, 0) - 1;
  if (end + 1 !== document.length || end < 4 || document[end] !== 0) throw new RangeError('This is no BSON document.');
  for (let place = 4; place < end;) {
    const type = document[place] ?? 0;
    const nameEnd = endOfText(document, place + 1);
    const name = document.toString('utf8', place + 1, nameEnd);
    const length = valueLength(type, document, nameEnd + 1);
    place = nameEnd + 1 + length;
    if (place > end) throw new RangeError(`The field '${name}' is longer than its document.`);
    fields.push({ type, name, value: document.subarray(nameEnd + 1, place) });
  }
  return fields;
}

/** The value of the first field with this name. */
export function bsonField(document: Buffer, name: string): BsonField | undefined {
  return bsonFields(document).find((field) => field.name === name);
}

/** The text of a string field. */
export function bsonText({ type, value }: BsonField): string | undefined {
  return type === 0x02 ? value.toString('utf8', 4, value.length - 1) : undefined;
}

/**
 * A value as one line that resembles JSON. Order and doubled names stay. A whole number looks the same in every numeric
 * type, because servers and tools change the type of the numbers in definitions.
 */
export function bsonToText({ type, value }: Omit<BsonField, 'name'>): string {
  switch (type) {
    case 0x01:
      return Object.is(value.readDoubleLE(0), -0) ? '-0' : String(value.readDoubleLE(0));
    case 0x02:
      return JSON.stringify(value.toString('utf8', 4, value.length - 1));
    case 0x03:
      return `{${bsonFields(value)
        .map((field) => `${JSON.stringify(field.name)}:${bsonToText(field)}`)
        .join()}}`;
    case 0x04:
      return `[${bsonFields(value).map(bsonToText).join()}]`;
    case 0x08:
      return value[0] === 0 ? 'false' : 'true';
    case 0x0a:
      return 'null';
    case 0x10:
      return String(value.readInt32LE(0));
    case 0x12:
      return String(value.readBigInt64LE(0));
    default:
      return `${typeNames[type] ?? `type ${type}`}(${value.toString('hex')})`;
  }
}

const typeNames: Readonly<Record<number, string>> = {
  0x05: 'Binary',
  0x06: 'Undefined',
  0x07: 'ObjectId',
  0x09: 'Date',
  0x0b: 'RegExp',
  0x0c: 'DBPointer',
  0x0d: 'Code',
  0x0e: 'Symbol',
  0x0f: 'CodeWithScope',
  0x11: 'Timestamp',
  0x13: 'Decimal128',
  0x7f: 'MaxKey',
  0xff: 'MinKey',
};

const fixedLengths: Readonly<Record<number, number>> = {
  ...{ 0x01: 8, 0x06: 0, 0x07: 12, 0x08: 1, 0x09: 8, 0x0a: 0, 0x10: 4, 0x11: 8, 0x12: 8, 0x13: 16, 0x7f: 0, 0xff: 0 },
};

function valueLength(type: number, bytes: Buffer, place: number): number {
  const fixed = fixedLengths[type];
  if (fixed !== undefined) return fixed;
  switch (type) {
    case 0x02:
    case 0x0d:
    case 0x0e:
      return 4 + lengthAt(bytes, place);
    case 0x03:
    case 0x04:
    case 0x0f:
      return lengthAt(bytes, place);
    case 0x05:
      return 5 + lengthAt(bytes, place);
    case 0x0b:
      return endOfText(bytes, endOfText(bytes, place) + 1) + 1 - place;
    case 0x0c:
      return 4 + lengthAt(bytes, place) + 12;
    default:
      throw new RangeError(`The BSON type ${type} is unknown.`);
  }
}

function lengthAt(bytes: Buffer, place: number): number {
  const length = bytes.readInt32LE(place);
  if (length < 0) throw new RangeError('A length is negative.');
  return length;
}

function endOfText(bytes: Buffer, place: number): number {
  const end = bytes.indexOf(0, place);
  if (end < 0) throw new RangeError('A text has no end.');
  return end;
}
