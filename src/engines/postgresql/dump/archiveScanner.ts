import type { DumpedTable } from '../../runningDump.js';
import type { Scanner } from '../../pipeline/observer.js';
import { qualifiedName } from '../catalog/names.js';

/** What the scanner has found in an archive of pg_dump. */
export type ScannedArchive = {
  readonly tables: readonly DumpedTable[];
  /** The archive ended where an archive ends, and holds the block of each entry that promises one. */
  readonly isComplete: boolean;
  /** The archive has a form that the scanner does not know. Then it has found nothing. */
  readonly isUnknown: boolean;
};

/**
 * Reads an archive of pg_dump's format `custom` without compression: the table of contents, and the rows of each table. The
 * format is that of the versions 1.12 to 1.16 (PostgreSQL's source, pg_backup_archiver.c and pg_backup_custom.c): numbers
 * have a byte for the sign and four bytes, texts have their length first. The data of a table is the output of COPY: a line
 * a row, then `\.` and two empty lines.
 */
export const archiveScanner: Scanner = {
  args: [],
  source: String.raw`
my ($at, $mode, $minor, $entries, $left, $lines, $sum, $id, $oid, $largeObject) = (0, 'head', 0, 0, 0, 0, 0, 0, 0, 0);
sub wants { length($buffer) >= $at + $_[0] or die "more\n" }
sub number { wants(5); my ($sign, $n) = unpack('CV', substr($buffer, $at, 5)); $at += 5; $sign ? -$n : $n }
sub text { my $n = number(); return undef if $n < 0; wants($n); my $text = substr($buffer, $at, $n); $at += $n; $text }
sub hex_of { defined $_[0] && $_[0] ne '' ? unpack('H*', $_[0]) : '-' }
my %steps = (
  head => sub {
    wants(11);
    my ($magic, $major, $next, undef, $ints, $offsets, $format) = unpack('A5C6', substr($buffer, $at, 11));
    if ($magic ne 'PGDMP' || $major != 1 || $next < 12 || $next > 16 || $ints != 4 || $offsets != 8 || $format != 1) {
      report('unknown'); $mode = 'unknown'; return;
    }
    $minor = $next; $at += 11;
    if ($minor >= 15) { wants(1); $at += 1 } else { number() }
    number() for 1 .. 7;
    text() for 1 .. 3;
    $entries = number();
    $mode = $entries > 0 ? 'contents' : 'block';
  },
  contents => sub {
    my $entry = number();
    number(); text(); text();
    my ($tag, $what) = (text(), text());
    number(); text() for 1 .. 3;
    my $schema = text();
    text();
    text() if $minor >= 14;
    number() if $minor >= 16;
    text(); text();
    1 while defined text();
    wants(9); $at += 9;
    report("entry $entry " . ($what eq 'TABLE DATA' ? 'data ' : 'table ') . hex_of($schema) . ' ' . hex_of($tag))
      if $what eq 'TABLE' || $what eq 'FOREIGN TABLE' || $what eq 'TABLE DATA';
    report("objects $entry") if $what eq 'BLOBS';
    $mode = 'block' if --$entries == 0;
  },
  block => sub {
    wants(6);
    my $type = ord substr($buffer, $at, 1); $at += 1;
    $id = number();
    $largeObject = $type == 3;
    die "archive: a block of the unknown type $type\n" unless $type == 1 || $largeObject;
    ($lines, $sum) = (0, 0);
    $mode = $largeObject ? 'object' : 'data';
  },
  object => sub { $oid = number(); $mode = 'data'; if ($oid == 0) { $mode = 'block'; report("end $id") } },
);
sub data {
  my $length = length $buffer;
  while (1) {
    if ($left) {
      my $n = $length - $at;
      return 0 unless $n;
      $n = $left if $n > $left;
      $lines += (substr($buffer, $at, $n) =~ tr/\n//);
      $at += $n; $sum += $n; $left -= $n;
      next unless $left;
      return 0;
    }
    return 0 if $at + 5 > $length;
    $left = unpack('V', substr($buffer, $at + 1, 4));
    $at += 5;
    next if $left;
    report("rows $id $lines $sum") unless $largeObject;
    $mode = $largeObject ? 'object' : 'block';
    return 1;
  }
}
sub scan {
  while (1) {
    if ($mode eq 'unknown') { $at = length $buffer; last }
    if ($mode eq 'data') { data() ? next : last }
    my $before = $at;
    next if eval { $steps{$mode}->(); 1 };
    die $@ if $@ ne "more\n";
    $at = $before;
    last;
  }
  report('complete') if $_[0] && $mode eq 'block' && $at == length $buffer;
  pass($_[0] ? length $buffer : $at) if length $buffer;
  $at = 0;
}
`,
};

/** The lines after the rows of a table: `\.` and two empty lines. */
const closingLines = 3;

/**
 * Collects what the scanner reports about one archive. `nameOf` returns the name of a table in the inventory: the names in an
 * archive have the encoding of the database.
 */
export function scannedArchive(
  database: string,
  nameOf: (schema: Buffer, table: Buffer) => string = (schema, table) =>
    qualifiedName(schema.toString('utf8'), table.toString('utf8')),
): {
  readonly add: (line: string) => void;
  readonly result: () => ScannedArchive;
} {
  const names = new Map<string, string>();
  // The entries that promise a block. A block has no number, so an archive that lacks its last blocks looks whole.
  const promised = new Set<string>();
  const tables = new Map<string, DumpedTable>();
  let [isComplete, isUnknown] = [false, false];
  const found = (name: string, rows: number | null, sizeBytes: number) =>
    tables.set(name, { database, name, rows, sizeBytes, longestStatementBytes: 0 });
  return {
    add(line) {
      const [what, id = '', ...rest] = line.split(' ');
      if (what === 'objects' || (what === 'entry' && rest[0] === 'data')) promised.add(id);
      if (what === 'rows' || what === 'end') promised.delete(id);
      if (what === 'complete') isComplete = true;
      if (what === 'unknown') isUnknown = true;
      if (what === 'entry') {
        const name = nameOf(fromHex(rest[1]), fromHex(rest[2]));
        names.set(id, name);
        if (!tables.has(name)) found(name, null, 0);
      }
      const name = names.get(id);
      if (what === 'rows' && name !== undefined) found(name, Number(rest[0]) - closingLines, Number(rest[1]));
    },
    result: () => ({ tables: [...tables.values()], isComplete: isComplete && promised.size === 0, isUnknown }),
  };
}

function fromHex(hex = '-'): Buffer {
  return hex === '-' ? Buffer.alloc(0) : Buffer.from(hex, 'hex');
}
