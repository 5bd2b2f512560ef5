import type { Scanner } from '../../pipeline/observer.js';
import { contentsReader } from '../dump/contentsReader.js';
import type { Session } from '../session/session.js';

/** A setting of a database as an archive has it. `value` is a literal, with its quotation marks. */
export type ArchivedSetting = { readonly role: string | null; readonly name: string; readonly value: string };

/**
 * Reports the statements of the archive's entry DATABASE PROPERTIES as hex, and passes everything. pg_restore runs them only
 * with `--create`.
 */
export const settingsScanner: Scanner = {
  args: [],
  source: String.raw`
${contentsReader}
my $isRest = 0;
sub scan {
  until ($isRest) {
    my $entry = next_entry();
    last unless defined $entry;
    if (!ref $entry) { $isRest = 1; last }
    report(unpack('H*', $entry->{definition})) if $entry->{what} eq 'DATABASE PROPERTIES';
  }
  pass($isRest || $_[0] ? length $buffer : $at) if length $buffer;
  $at = 0;
}
`,
};

/** `found` is what the scanner reported. The archive has the encoding of its database, which the server knows. */
export async function readSettings(
  session: Session,
  found: readonly string[],
  encoding: string,
): Promise<readonly ArchivedSetting[]> {
  const known = encoding === 'SQL_ASCII' ? 'UTF8' : encoding;
  const rows = await session.query(
    "SELECT convert_from(decode(hex, 'hex'), $2) AS statements FROM unnest($1::text[]) AS hex",
    [found, known],
  );
  return rows.flatMap((row) => settingsIn(row['statements'] ?? ''));
}

const identifier = String.raw`(?:"(?:[^"]|"")+"|[a-z_][a-z0-9_$]*)`;
const literal = String.raw`E?'(?:[^'\\]|''|\\.)*'`;
const statement = new RegExp(
  String.raw`^ALTER (?:ROLE (?<role>${identifier}) IN )?DATABASE ${identifier} SET (?<name>${identifier}(?:\.${identifier})*) (?:TO|=) (?<value>${literal}(?:, ${literal})*);$`,
  'gms',
);

/** The settings in the statements of DATABASE PROPERTIES (`makeAlterConfigCommand` of PostgreSQL's source). */
export function settingsIn(statements: string): readonly ArchivedSetting[] {
  return [...statements.matchAll(statement)].map(({ groups = {} }) => ({
    role: groups['role'] === undefined ? null : unquoted(groups['role']),
    name: unquoted(groups['name'] ?? ''),
    value: groups['value'] ?? '',
  }));
}

function unquoted(name: string): string {
  return name.replaceAll(/"((?:[^"]|"")+)"/g, (_all, inner: string) => inner.replaceAll('""', '"'));
}
