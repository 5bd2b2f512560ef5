import { RawJson } from './rawJson.js';

/**
 * The bytes that a value takes as JSON, about: the UTF-8 of its texts, without the escapes inside them. It stops counting
 * at `most`, so that a huge value costs no more time than one that is just too large.
 */
export function jsonBytes(value: unknown, most: number = Infinity): number {
  switch (typeof value) {
    case 'string':
      return textBytes(value) + 2;
    case 'number':
    case 'bigint':
      return 8;
    case 'object':
      return value === null ? 4 : bytesOfObject(value, most);
    case 'boolean':
    case 'undefined':
    case 'function':
    case 'symbol':
      return 5;
  }
}

function bytesOfObject(value: object, most: number): number {
  if (value instanceof Date) return 26;
  if (value instanceof RawJson) return Buffer.byteLength(value.text);
  let bytes = 2;
  if (Array.isArray(value)) {
    for (const item of value) {
      bytes += jsonBytes(item, most - bytes) + 1;
      if (bytes > most) return bytes;
    }
    return bytes;
  }
  for (const key in value) {
    bytes += key.length + 4 + jsonBytes((value as Readonly<Record<string, unknown>>)[key], most - bytes);
    if (bytes > most) return bytes;
  }
  return bytes;
}

export function textBytes(text: string): number {
  return text.length < 64 ? text.length : Buffer.byteLength(text);
}
