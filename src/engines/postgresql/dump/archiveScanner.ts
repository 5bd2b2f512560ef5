import type { DumpedTable } from '../../runningDump.js';
import type { Scanner } from '../../pipeline/observer.js';
import { qualifiedName } from '../catalog/names.js';
import { largeObjects } from '../catalog/tables.js';
import { contentsReader } from './contentsReader.js';

/** What the scanner has found in an archive of pg_dump. */
export type ScannedArchive = {
  readonly tables: readonly DumpedTable[];
  /** The archive ended where an archive ends, and holds the block of each entry that promises one. */
  readonly isComplete: boolean;
  /** The archive has a form that the scanner does not know. Then it has found nothing. */
  readonly isUnknown: boolean;
};

/**
 * Reads an archive of pg_dump's format `custom` without compression: the table of contents, the rows of each table, and large
 * objects. The data of a table is the output of COPY: a line a row, then `\.` and two empty lines.
 */
export const archiveScanner: Scanner = {
  args: [],
  source: String.raw`
${contentsReader}
my ($mode, $left, $lines, $sum, $id, $oid, $largeObject) = ('contents', 0, 0, 0, 0, 0, 0);
my ($objects, $size) = (0, 0);
sub hex_of { defined $_[0] && $_[0] ne '' ? unpack('H*', $_[0]) : '-' }
sub contents {
  my $entry = next_entry();
  return 0 unless defined $entry;
  if ($entry eq 'unknown') { report('unknown'); $mode = 'unknown'; return 1 }
  if ($entry eq 'end') { $mode = 'block'; return 1 }
  my ($what, $number) = ($entry->{what}, $entry->{id});
  report("entry $number " . ($what eq 'TABLE DATA' ? 'data ' : 'table ') . hex_of($entry->{schema}) . ' ' . hex_of($entry->{tag}))
    if $what eq 'TABLE' || $what eq 'FOREIGN TABLE' || $what eq 'TABLE DATA';
  report("objects $number") if $what eq 'BLOBS';
  1;
}
my %steps = (
  block => sub {
    wants(6);
    my $type = ord substr($buffer, $at, 1); $at += 1;
    $id = number();
    $largeObject = $type == 3;
    die "archive: a block of the unknown type $type\n" unless $type == 1 || $largeObject;
    ($lines, $sum) = (0, 0);
    $mode = $largeObject ? 'object' : 'data';
    1;
  },
  object => sub {
    $oid = number(); $mode = 'data';
    if ($oid == 0) { $mode = 'block'; report("end $id $objects $size"); ($objects, $size) = (0, 0) }
    1;
  },
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
    if ($largeObject) { $objects++; $size += $sum; $sum = 0 } else { report("rows $id $lines $sum") }
    $mode = $largeObject ? 'object' : 'block';
    return 1;
  }
}
sub scan {
  while (1) {
    if ($mode eq 'unknown') { $at = length $buffer; last }
    if ($mode eq 'data') { data() ? next : last }
    if ($mode eq 'contents') { contents() ? next : last }
    last unless defined whole($steps{$mode});
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
      if (what === 'end') {
        // A newer pg_dump writes several blocks.
        const before = tables.get(largeObjects.name);
        found(largeObjects.name, Number(rest[0]) + (before?.rows ?? 0), Number(rest[1]) + (before?.sizeBytes ?? 0));
      }
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
