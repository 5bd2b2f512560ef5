/**
 * The kind of the SQL statement at the beginning of a text, and the object that it names, for example "INSERT INTO
 * `orders`". No other part of a statement may be shown. Undefined: the text does not begin with a statement.
 */
export function statementHead(text: string): string | undefined {
  const plain = text
    .slice(0, 2_000)
    .replace(/\/\*M?!\d*|\*\//g, ' ')
    .replace(/\/\*.*?\*\//gs, ' ')
    .trimStart();
  const [verb = ''] = /^[A-Za-z]+\b/.exec(plain) ?? [];
  const rest = plain.slice(verb.length);
  switch (verb.toUpperCase()) {
    case 'INSERT':
    case 'REPLACE': {
      const found = new RegExp(
        `^(?:\\s+(?:LOW_PRIORITY|DELAYED|HIGH_PRIORITY|IGNORE))*\\s+INTO\\s+(${name})`,
        'i',
      ).exec(rest);
      return found?.[1] === undefined ? undefined : `${verb.toUpperCase()} INTO ${found[1]}`;
    }
    case 'CREATE':
    case 'ALTER':
    case 'DROP': {
      const found = new RegExp(`\\b(${kinds})\\s+(?:IF (?:NOT )?EXISTS\\s+)?(${name})`, 'i').exec(rest);
      return found?.[1] === undefined ? undefined : `${verb.toUpperCase()} ${found[1].toUpperCase()} ${found[2] ?? ''}`;
    }
    case 'USE':
    case 'UPDATE': {
      const found = new RegExp(`^\\s+(${name})`).exec(rest);
      return found?.[1] === undefined ? undefined : `${verb.toUpperCase()} ${found[1]}`;
    }
    case 'DELETE':
    case 'LOCK': {
      const found = new RegExp(`^\\s+(FROM|TABLES?)\\s+(${name})`, 'i').exec(rest);
      return found?.[1] === undefined ? undefined : `${verb.toUpperCase()} ${found[1].toUpperCase()} ${found[2] ?? ''}`;
    }
    case 'SELECT':
    case 'SET':
      return /[=(,'"@*]/.test(rest) ? verb.toUpperCase() : undefined;
    default:
      return undefined;
  }
}

const quoted = '`(?:[^`\\n]|``){1,200}`';
const bare = '[\\w$\\u0080-\\uffff]{1,200}';
const name = `(?:${quoted}|${bare})(?:\\.(?:${quoted}|${bare}))?`;
const kinds = 'TABLE|VIEW|TRIGGER|PROCEDURE|FUNCTION|EVENT|SEQUENCE|DATABASE|SCHEMA|PACKAGE BODY|PACKAGE|INDEX';
