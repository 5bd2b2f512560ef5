import type { Scanner } from '../../pipeline/observer.js';

/**
 * Reads an archive of mongodump as it passes (github.com/mongodb/mongo-tools, common/archive/spec.md): a magic number, a
 * block that describes the namespaces, and blocks of the documents of one namespace each. It
 * - counts the documents of each namespace;
 * - leaves out the namespaces of all databases except `databases`. A dump with --oplog contains those of the system, whose
 *   users a restore would write over those of the target. It also contains databases that were created after the target
 *   was chosen to have none of the backup's databases, so a restore could change or drop a database of another owner;
 * - turns operations of the oplog that write to such namespaces into no-ops, also single operations of a transaction. Only
 *   one letter of an operation changes, and the checksum of the oplog is corrected with it: a CRC is linear, so the change
 *   of the result depends only on the changed letter and on the number of bytes after it;
 * - reports whether the archive ends where it should.
 *
 * A document of up to 16 MiB passes in pieces, except for entries of the oplog and descriptions of namespaces.
 */
export function archiveScanner(databases: readonly string[]): Scanner {
  const names = databases.map((name) => Buffer.from(name).toString('hex'));
  const args: string[] = [];
  // Linux limits the length of one argument.
  for (let begin = 0; begin < names.length; begin += 500) args.push(names.slice(begin, begin + 500).join());
  return { source: perl, args };
}

const perl = String.raw`
my $terminator = 0xffffffff;
my %kept = map { pack('H*', $_) => 1 } map { split /,/ } @ARGV;
my $mostBytes = 48 * 1024 * 1024;
# What comes next: MAGIC, HEADER, PRELUDE, BLOCK or BODY.
my ($state, $position, $rest, $broken) = ('MAGIC', 0, 0, 0);
# The namespace of the block, whether it is left out, and whether the rest of a document is.
my ($name, $drops, $isOplog) = ('', 0, 0);
my (%count, %size, %largest, %oplogChange);

sub dropHead {
  my ($length) = @_;
  pass($position) if $position > 0;
  substr($buffer, 0, $length, '');
  $position = 0;
}
sub take { my ($length) = @_; if ($drops) { dropHead($length) } else { $position += $length } }
sub broken { my ($why) = @_; report("broken $why") unless $broken; $broken = 1 }

# The names and values of the fields at the top of a small document.
sub fields {
  my ($document) = @_;
  my %fields;
  my $at = 4;
  while ($at < length($document) - 1) {
    my $type = ord substr($document, $at, 1);
    my $nameEnd = index($document, "\0", $at + 1);
    return undef if $nameEnd < 0;
    my $field = substr($document, $at + 1, $nameEnd - $at - 1);
    $at = $nameEnd + 1;
    my $fixed = {0x01=>8, 0x06=>0, 0x07=>12, 0x08=>1, 0x09=>8, 0x0a=>0, 0x10=>4, 0x11=>8, 0x12=>8, 0x13=>16, 0x7f=>0, 0xff=>0}->{$type};
    my $length = $fixed;
    if (!defined $length) {
      my $stated = unpack('V', substr($document, $at, 4));
      if ($type == 0x02 || $type == 0x0d || $type == 0x0e) { $length = 4 + $stated }
      elsif ($type == 0x03 || $type == 0x04 || $type == 0x0f) { $length = $stated }
      elsif ($type == 0x05) { $length = 5 + $stated }
      elsif ($type == 0x0b) { $length = index($document, "\0", index($document, "\0", $at) + 1) + 1 - $at }
      else { return undef }
    }
    return undef if $at + $length > length $document;
    $fields{$field} = [$type, $at, substr($document, $at, $length)] unless exists $fields{$field};
    $at += $length;
  }
  return \%fields;
}
sub textIn { my ($fields, $field) = @_; my $found = $fields->{$field}; defined $found && $found->[0] == 2 ? substr($found->[2], 4, -1) : '' }
sub isLeftOut { $_[0] ne '' && !exists $kept{$_[0]} }

# CRC-64 (ECMA-182, reflected), as Go computes it.
my $polynomial = 0xC96C5795D7870F42;
sub crcOfByte { my ($crc) = @_; for (1 .. 8) { $crc = $crc & 1 ? ($crc >> 1) ^ $polynomial : $crc >> 1 } $crc }
sub timesMatrix { my ($matrix, $vector) = @_; my ($sum, $row) = (0, 0); while ($vector) { $sum ^= $matrix->[$row] if $vector & 1; $vector >>= 1; $row++ } $sum }
# The matrices that move a CRC by 1, 2, 4, 8, … bytes that are zero.
my @moves;
sub shifted {
  my ($crc, $length) = @_;
  for (my $power = 0; $length; $power++, $length >>= 1) {
    my $before = $power ? $moves[$power - 1] : undef;
    $moves[$power] ||= $before ? [map { timesMatrix($before, $_) } @$before] : [map { crcOfByte(1 << $_) } 0 .. 63];
    $crc = timesMatrix($moves[$power], $crc) if $length & 1;
  }
  return $crc;
}

sub documentsIn { my ($found) = @_; my $all = defined $found && $found->[0] == 4 ? fields($found->[2]) : undef; defined $all ? grep { $_->[0] == 3 } values %$all : () }

# The places of the letters of an entry that become n: of the entry itself, or of single operations of a transaction.
sub lettersToChange {
  my ($document) = @_;
  my $fields = fields($document);
  return () if !defined $fields;
  my $namespace = textIn($fields, 'ns');
  if ($namespace eq 'admin.$cmd') {
    my $command = $fields->{o};
    my $inner = defined $command && $command->[0] == 3 ? fields($command->[2]) : undef;
    return () if defined $inner && (exists $inner->{commitTransaction} || exists $inner->{abortTransaction});
    if (defined $inner && exists $inner->{applyOps}) {
      my $start = $command->[1] + $inner->{applyOps}[1];
      return map { my (undef, $at, $operation) = @$_; map { $start + $at + $_ } lettersToChange($operation) } documentsIn($inner->{applyOps});
    }
  }
  my ($database) = $namespace =~ /^([^.]+)\./;
  my $operation = $fields->{op};
  return () if !defined $database || !isLeftOut($database) || !defined $operation || length $operation->[2] != 6;
  return ($operation->[1] + 4);
}

sub inOplog {
  my ($document) = @_;
  for my $place (lettersToChange($document)) {
    my $difference = ord(substr($document, $place, 1)) ^ ord('n');
    next if $difference == 0;
    substr($buffer, $position + $place, 1, 'n');
    push @{$oplogChange{$name}}, [$size{$name} + $place, $difference];
  }
}

# The change of the checksum: of each changed byte, moved by the bytes after it.
sub checksumChange {
  my $sum = 0;
  for (@{$oplogChange{$name} || []}) {
    my ($place, $difference) = @$_;
    $sum ^= shifted(crcOfByte($difference), $size{$name} - $place - 1);
  }
  return $sum;
}

sub prelude {
  my ($document) = @_;
  my $fields = fields($document);
  return broken('prelude') if !defined $fields;
  my ($database, $collection, $type) = map { textIn($fields, $_) } qw(db collection type);
  $drops = isLeftOut($database);
  if (!$drops) { report(join ' ', 'namespace', map { 'x' . unpack('H*', $_) } $database, $collection, $type) }
  take(length $document);
  $drops = 0;
}

sub beginBlock {
  my ($document) = @_;
  my $fields = fields($document);
  my $eof = defined $fields ? $fields->{EOF} : undef;
  my $sum = defined $fields ? $fields->{CRC} : undef;
  return broken('header') if !defined $eof || !defined $sum || $sum->[0] != 0x12;
  my ($database, $collection) = (textIn($fields, 'db'), textIn($fields, 'collection'));
  $name = join ' ', map { 'x' . unpack('H*', $_) } $database, $collection;
  $drops = isLeftOut($database);
  $isOplog = $database eq '' && $collection eq 'oplog';
  ($count{$name}, $size{$name}, $largest{$name}) = (0, 0, 0) unless exists $count{$name};
  if ($eof->[2] ne "\0") {
    my $change = checksumChange();
    if ($change != 0) {
      substr($buffer, $position + $sum->[1], 8, pack('Q<', unpack('Q<', $sum->[2]) ^ $change));
    }
    report(join ' ', 'end', $name, $count{$name}, $size{$name}, $largest{$name}) unless $drops;
    delete @{$_}{$name} for \%count, \%size, \%largest, \%oplogChange;
  }
  take(length $document);
  $state = 'BODY';
}

sub scan {
  my ($ended) = @_;
  while (!$broken) {
    if ($rest > 0) {
      my $here = length($buffer) - $position;
      last if $here == 0;
      my $length = $rest < $here ? $rest : $here;
      take($length);
      $rest -= $length;
      next;
    }
    last if length($buffer) - $position < 4;
    my $length = unpack('V', substr($buffer, $position, 4));
    if ($state eq 'BODY' && !$isOplog && !$drops) {
      # The documents that are here as a whole. This loop takes nearly all of the time.
      my ($documents, $bytes, $most, $end) = (0, $position, $largest{$name}, length($buffer) - 4);
      while ($length >= 5 && $length <= $mostBytes && $position + $length <= $end) {
        $position += $length;
        $documents++;
        $most = $length if $length > $most;
        $length = unpack('V', substr($buffer, $position, 4));
      }
      $count{$name} += $documents;
      $size{$name} += $position - $bytes;
      $largest{$name} = $most;
    }
    if ($state eq 'MAGIC') {
      broken('magic') if $length != 0x8199e26d;
      $position += 4;
      $state = 'HEADER';
      next;
    }
    if ($length == $terminator) {
      return broken('block') if $state ne 'BODY' && $state ne 'PRELUDE';
      take(4);
      ($state, $drops, $isOplog) = ('BLOCK', 0, 0);
      next;
    }
    return broken('length') if $length < 5 || $length > $mostBytes;
    if ($state eq 'BODY' && !$isOplog) {
      $count{$name}++;
      $size{$name} += $length;
      $largest{$name} = $length if $length > $largest{$name};
      $rest = $length;
      next;
    }
    last if length($buffer) - $position < $length;
    my $document = substr($buffer, $position, $length);
    if ($state eq 'BODY') {
      inOplog($document);
      $count{$name}++;
      $size{$name} += $length;
      take($length);
    }
    elsif ($state eq 'BLOCK') { beginBlock($document) }
    elsif ($state eq 'PRELUDE') { prelude($document) }
    else { $position += $length; $state = 'PRELUDE' }
  }
  # A broken archive passes as it is.
  if ($broken) { pass(length $buffer); $position = 0 }
  elsif ($position > 0) { pass($position); $position = 0 }
  return unless $ended && !$broken;
  broken('end') if $state ne 'BLOCK' || length $buffer || $rest;
  pass(length $buffer) if length $buffer;
  report('complete') unless $broken;
}
`;

/** What the scanner found in one archive. */
export type ScannedArchive = {
  /** Namespaces that the archive announces. */
  readonly announced: readonly Namespace[];
  /** Namespaces whose last document is in the archive. */
  readonly ended: readonly EndedNamespace[];
  /** Whether the archive ends after a whole block. */
  readonly isWhole: boolean;
};

type Namespace = { readonly database: string; readonly collection: string; readonly type: string };
type EndedNamespace = Omit<Namespace, 'type'> & {
  readonly documents: number;
  readonly sizeBytes: number;
  readonly largestBytes: number;
};

/** Collects the findings of the scanner. */
export function scannedArchive(): { readonly add: (line: string) => void; readonly result: () => ScannedArchive } {
  const announced: Namespace[] = [];
  const ended: EndedNamespace[] = [];
  let isWhole = false;
  return {
    add(line) {
      const [what, ...words] = line.split(' ');
      const [database = '', collection = '', third = '', fourth = '', fifth = ''] = words;
      const names = { database: decoded(database), collection: decoded(collection) };
      if (what === 'namespace') announced.push({ ...names, type: decoded(third) });
      if (what === 'end') {
        ended.push({
          ...names,
          ...{ documents: Number(third), sizeBytes: Number(fourth), largestBytes: Number(fifth) },
        });
      }
      if (what === 'complete') isWhole = true;
    },
    result: () => ({ announced, ended, isWhole }),
  };
}

function decoded(word: string): string {
  return Buffer.from(word.slice(1), 'hex').toString('utf8');
}
