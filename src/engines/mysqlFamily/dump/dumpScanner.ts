import type { DumpedObject, DumpedTable } from '../../runningDump.js';
import type { Scanner } from '../../pipeline/observer.js';

/**
 * Reads the output of mariadb-dump like the mariadb client: statement by statement, so that text in a routine, a
 * comment or a name is never taken for a statement. It reports rows, bytes and the longest statement of each table, and
 * the name of each view, stored program and sequence. It inserts the lines that a dump over a binary connection needs;
 * their reasons are in docs/engines.md.
 *
 * - A statement ends at the delimiter, outside of quotes and comments. Inside quotes a backslash escapes, unless the
 *   dump has set another sql_mode. In some character sets (big5, cp932, gbk, sjis) an ASCII byte may be the second byte
 *   of a character; such a byte is neither a quote nor a backslash.
 * - `INSERT` is the exception that makes it fast: mariadb-dump escapes every line end in a value, so such a statement
 *   ends at the first `;` before a line end, and its rows, one a line since MariaDB 10.x, are counted by counting
 *   lines. Older tools write all rows in one line. They are counted while the statement is short, and otherwise
 *   unknown.
 *
 * Its notes are the text of serializeForScanner.
 * @param oneRowBytes only for mysqldump of MySQL, which writes all rows in one line, and only one row in a statement of
 * this size or more
 */
export function dumpScanner(oneRowBytes?: number): Scanner {
  return { source, args: [String(largestStatementBytes), String(oneRowBytes ?? '')] };
}

/** The largest statement that a server accepts: the limit of max_allowed_packet minus one byte for the command. */
export const largestStatementBytes = 1024 * 1024 * 1024 - 1;

/** The report of a scanner. */
export type ScannedDump = {
  readonly tables: readonly DumpedTable[];
  readonly objects: readonly DumpedObject[];
  /** The longest statement of the dump, including definitions. */
  readonly longestStatementBytes: number;
  /** The table with a statement that no server accepts. The dump was ended there. */
  readonly tooLong: { readonly database: string; readonly name: string } | undefined;
};

/** Collects the lines of a scanner. */
export function scannedDump(): { readonly add: (line: string) => void; readonly result: () => ScannedDump } {
  const tables: DumpedTable[] = [];
  const objects: DumpedObject[] = [];
  let longestStatementBytes = 0;
  let tooLong: ScannedDump['tooLong'];
  return {
    add: (line) => {
      const [kind, database = '', name = '', rows = '', sizeBytes, longest] = line.split(' ');
      const table = { database: plain(database), name: plain(name) };
      if (kind === 'longest') longestStatementBytes = Number(database);
      else if (kind === 'refused') tooLong = table;
      else if (kind === 'object') objects.push(objectIn(line));
      else if (kind === 'table') {
        tables.push({
          ...table,
          rows: rows === '?' ? null : Number(rows),
          sizeBytes: Number(sizeBytes),
          longestStatementBytes: Number(longest),
        });
      }
    },
    result: () => ({ tables, objects, longestStatementBytes, tooLong }),
  };
}

/** The kinds of the inventory, by the keyword of the statement. */
const kinds: Readonly<Record<string, string>> = {
  VIEW: 'views',
  PROCEDURE: 'procedures',
  FUNCTION: 'functions',
  PACKAGE: 'packages',
  PACKAGE_BODY: 'packageBodies',
  TRIGGER: 'triggers',
  EVENT: 'events',
  SEQUENCE: 'sequences',
};

/** The findings of a scanner in addition to tables. */
export const scannedKinds: readonly string[] = Object.values(kinds);

function objectIn(line: string): DumpedObject {
  const [, word = '', database = '', hex = '?'] = line.split(' ');
  const name = hex === '?' ? null : plain(hex);
  // The text is not UTF-8.
  return {
    database: plain(database),
    kind: kinds[word] ?? word,
    name: name?.includes('\uFFFD') === true ? null : name,
  };
}

/** A `.` precedes the digits, so that an empty name is not an empty word. */
function plain(hex: string): string {
  return Buffer.from(hex.slice(1), 'hex').toString('utf8');
}

const source = String.raw`
my ($limit, $oneRowBytes) = map { length $_ ? $_ : undef } @ARGV[0, 1];
# Texts of programs by the client's character set: in utf8, and in that. A statement that may hold some is held back.
my ($texts, $held);
# How often a sequence has begun anew, by database and name.
my %rounds;
# Statements that follow the databases; modes that the rows need.
my (@last, @modes);
# Statements that follow the CREATE TABLE of a table, by database and name.
my %after;
# Between statements 0, in one 1, in an INSERT 2, in one that is rewritten 3. What ends it; what it is inside of: a quote, '*' or '-' of a comment.
my ($state, $delimiter, $inside) = (0, ';', '');
# What the dump has set: changes how quotes are read.
my ($characterSet, $plainBackslash, $ansiQuotes) = ('', 0, 0);
my ($position, $begin) = (0, 0);
# The statement: its text, as far as it is kept, its bytes handed on so far, and the longest of all.
my ($text, $passedBytes, $longest) = ('', 0, 0);
my ($database, $table, @unresolved) = ('');
# Line ends of an INSERT; how its first line ends; 'lines' or 'line' once it is known how the tool lays rows out.
my ($lineEnds, $header, $layout) = (0, '', '');
# The length of the last lines of an INSERT.
my $bytesInLine = 256;
# The connection's character set, and the client's; a table that is written otherwise than the rest. Of its rows: the
# number of the column, and whether a value of it begins at the next byte.
my ($names, $client, $typed, $column, $begins) = ('', '', undef, 0, 0);
my $keptBytes = 4194304;
my $countedBytes = defined $oneRowBytes ? $oneRowBytes : 65536;

my $name = qr/\x60(?:[^\x60]++|\x60\x60)*+\x60/;
my $string = qr/'(?:[^'\\]++|\\[\s\S]|'')*+'/;
my $insertHeader = qr/\GINSERT (?:IGNORE )?INTO $name (?:\((?:$name|\w++)(?:, (?:$name|\w++))*+\) )?VALUES(?:\n| )/;

# Most of what stands around a small table, whole lines: white space and comments, and statements that change nothing
# while no character set of the list below is set.
my $lines = qr/\G(?:\s++|--(?: [^\n]*+)?\n)++/;
my $usual = qr/\G(?:\/\*!(?:40101|50503) SET (?:\@saved_cs_client     = \@\@character_set_client|character_set_client = (?:utf8mb4|utf8|\@saved_cs_client)) \*\/|DROP TABLE IF EXISTS \x60[^\x60\n]++\x60|\/\*!40000 ALTER TABLE \x60[^\x60\n]++\x60 (?:DIS|EN)ABLE KEYS \*\/);\n/;

# In these an ASCII byte can be the second one of a character.
my %pairs = (
  big5 => qr/[\xa1-\xf9][\x40-\x7e\xa1-\xfe]/, gbk => qr/[\x81-\xfe][\x40-\x7e\x80-\xfe]/,
  map { $_ => qr/[\x81-\x9f\xe0-\xfc][\x40-\x7e\x80-\xfc]/ } qw(sjis cp932),
);
# Code up to a byte that may begin something else; what may stand between two quotes of a kind.
my ($code, %quoted);
sub readAs {
  my $pair = $pairs{$characterSet};
  my $high = defined $pair ? '\x80-\xff' : '';
  my $character = defined $pair ? qr/$pair|[\x80-\xff](?=[\s\S])/ : qr/\x60[^\x60]*+\x60|'[^'\\]*+'/;
  $code = qr/\G(?:[^$high'"\x60;\/\-#\\]++|$character)++/;
  $character = qr/(?!)/ unless defined $pair;
  for my $quote ("'", '"', "\x60") {
    my $escapes = $quote ne "\x60" && !$plainBackslash && ($quote ne '"' || !$ansiQuotes);
    my $plain = $escapes ? "[^$high$quote\\\\]++|\\\\[\\s\\S]" : "[^$high$quote]++";
    $quoted{$quote} = qr/\G(?:$plain|$character)++/;
  }
}
readAs();

sub scan {
  my ($ended) = @_;
  $texts = readTexts() unless defined $texts;
  $position = 0;
  $begin = 0;
  1 while $state == 2 ? inInsert($ended) : $state == 3 ? inRewrittenRows($ended) : $state == 1 ? inStatement($ended) : between($ended);
  if ($ended) { $position = length $buffer }
  handOn();
  if ($ended && $held && $state == 1) { insert($text) }
  if ($ended) { finish() }
}

# Hands on what was read; of a statement its text is kept.
sub handOn {
  if ($state == 1 && $held) {
    $text .= substr($buffer, 0, $position, '');
    $passedBytes += $position;
    $position = 0;
    return;
  }
  if ($state) {
    my $length = $position - $begin;
    if ($state == 1 && length($text) + $length <= $keptBytes) { $text .= substr($buffer, $begin, $length) }
    $passedBytes += $length;
  }
  pass($position) if $position;
  $position = $begin = 0;
}

# Bytes that are there, from the position on; what is decided by more of them waits for more.
sub ahead { length($buffer) - $position }

# No match with a group, here and in inStatement: Perl keeps a copy of all that was matched in, the whole buffer, for it.
sub between {
  my ($ended) = @_;
  pos($buffer) = $position;
  if ($inside ne '') { return inComment() }
  if ($buffer =~ /$lines/gc) { $position = pos($buffer); return 1 }
  if ($buffer =~ /$usual/gc && $delimiter eq ';' && $characterSet eq '') {
    my $bytes = pos($buffer) - 2 - $position;
    $longest = $bytes if $bytes > $longest;
    $position = pos($buffer);
    return 1;
  }
  pos($buffer) = $position;
  return 0 if ahead() == 0 || (!$ended && ahead() < 64 && index($buffer, "\n", $position) < 0);
  # Perl would look for the words of a pattern in all of the buffer, also where it must match at the position.
  my $next = substr($buffer, $position, 16);
  if ($next =~ /^(--\s|#)/) { ($position, $inside) = ($position + length($1) - ($1 eq '#' ? 0 : 1), '-'); return 1 }
  if ($next =~ /^\/\*(?!M?!)/) { ($position, $inside) = ($position + 2, '*'); return 1 }
  if ($next =~ /^DELIMITER / && $buffer =~ /\GDELIMITER \S++\n/gc) {
    $delimiter = substr($buffer, $position + 10, pos($buffer) - $position - 11);
    $position = pos($buffer);
    return 1;
  }
  if ($next =~ /^\/\*M!999999\\-/ && $buffer =~ /\G[^\n]*+\n/gc) { leaveOut(pos($buffer)); return 1 }
  if ($next =~ /^INSERT /) {
    if ($buffer =~ /$insertHeader/gc) {
      $header = substr($buffer, $position, pos($buffer) - $position);
      my ($in) = map { unquoted($_) } $header =~ / INTO ($name) /;
      nextTable($in) if !defined $table || $table->{name} ne $in;
      $typed = $table->{typed};
      startOf(2);
      if (defined $typed) { return 1 if beginTyped() }
      $position = length $header;
      $lineEnds = $header =~ /\n$/ ? 1 : 0;
      return 1;
    }
    # The header names every column at most: longer ones there are none.
    return 0 if !$ended && ahead() < 2097152;
  }
  my $defines = $names eq 'binary' && $next =~ /^CREATE TABLE /;
  startOf(1);
  $held = defined $texts->{$client} || ($plainBackslash && $delimiter eq ';;');
  setNames('utf8mb4') if $defines;
  return 1;
}

sub setNames { insert("/*!40101 SET NAMES $_[0] */;\n") }

# What is put after a statement goes before its line end.
sub insertAfter { handOn(); insert("\n$_[0]") }

sub startOf {
  handOn();
  ($state, $text, $passedBytes) = ($_[0], '', 0);
}

sub leaveOut {
  my ($end) = @_;
  my $length = $end - $position;
  handOn();
  substr($buffer, 0, $length, '');
}

sub inComment {
  my $end = $inside eq '*' ? '*/' : "\n";
  my $found = index($buffer, $end, $position);
  if ($found < 0) { $position = $inside eq '*' && ahead() ? length($buffer) - 1 : length($buffer); return 0 }
  ($position, $inside) = ($found + length $end, '');
  return 1;
}

sub inStatement {
  my ($ended) = @_;
  if ($inside eq '*' || $inside eq '-') { return inComment() }
  pos($buffer) = $position;
  if ($held && $delimiter eq ';;' && defined $pairs{$characterSet}) { return inTwoCharacterSets($ended) }
  if ($inside ne '') {
    $position = pos($buffer) if $buffer =~ /$quoted{$inside}/gc;
    return 0 if ahead() == 0;
    if (substr($buffer, $position, 1) eq $inside) { $position++; $inside = ''; return 1 }
    # A backslash or the first half of a character, cut off from what follows; or a byte that fits no character.
    return 0 if ahead() < 2 && !$ended;
    $position++;
    return 1;
  }
  $position = pos($buffer) if $buffer =~ /$code/gc;
  return 0 if ahead() == 0 || (ahead() < 4 && !$ended);
  my $next = substr($buffer, $position, 4);
  my $first = substr($next, 0, 1);
  if ($first eq "'" || $first eq '"' || $first eq "\x60") { $inside = $first; $position++ }
  elsif (substr($next, 0, length $delimiter) eq $delimiter) { endOfStatement() }
  elsif ($next =~ /^\/\*(M?!)?/) { $position += 2; $inside = '*' unless defined $1 }
  elsif ($next =~ /^(?:--\s|#)/) { $inside = '-' }
  else { $position++ }
  return 1;
}

# Neither of the two reads all of the quotes. It ends where mariadb-dump goes on.
sub inTwoCharacterSets {
  my ($ended) = @_;
  if ($buffer =~ /;;\n(?=DELIMITER ;\n|\/\*!50\d{3} )/g) { $position = $-[0]; endOfStatement(); return 1 }
  $position = length($buffer) - 32 if ahead() > 32;
  return 0;
}

sub endOfStatement {
  handOn();
  my ($statement, $bytes, $known) = ($text, $passedBytes, $held || $passedBytes <= $keptBytes);
  insert(translated($statement)) if $held;
  ($state, $text) = (0, '');
  $position = length $delimiter;
  $longest = $bytes if $bytes > $longest;
  if ($known && $statement =~ /^USE ($name)/) { closeTable(); $database = unquoted($1) }
  elsif ($known && $statement =~ /^CREATE TABLE ($name) /) {
    nextTable(unquoted($1));
    ofTable($bytes);
    $table->{real} = $statement =~ /\x60 (?:double|float)\b/;
    insertAfter($_) for $table->{real} ? negativeDefaults($statement) : ();
    insertAfter($_) for @{delete $after{join '', words($database), words($table->{name})} || []};
    if ($names eq 'binary') {
      $table->{typed} = typedColumns($statement);
      insertAfter('/*!40101 SET NAMES binary */;');
    }
  }
  elsif ($known && $statement =~ /^(?:\/\*!\d+ )?SET /) { settingsOf($statement) }
  elsif ($statement =~ /^(?:\/\*!\d+ )?CREATE\b/) { objectOf($statement) }
  elsif (%rounds && $known && $statement =~ /^(?:SELECT|DO) SETVAL\(($name), (-?\d+), 0\)$/) { roundsOf($1, $2) }
}

# The tool sets the next value alone.
sub roundsOf {
  my ($sequence, $next) = @_;
  my $rounds = $rounds{join '', words($database), words(unquoted($sequence))};
  insertAfter("DO SETVAL($sequence, $next, 0, $rounds);") if defined $rounds;
}

# The name of a trigger stands there as a person has written it. A view has an algorithm, unlike the one that keeps its
# place until all tables are there.
my $gap = qr/(?:\s|\*\/|\/\*M?!\d+)++/;
my $identifier = qr/$name|"(?:[^"]++|"")*+"/;
my $qualifier = qr/(?:$identifier|[\w\$\x80-\xff]++)\s*+\.\s*+/;
my $named = qr/(?<named>$identifier(?!\s*+[.\/])|[\w\$\x80-\xff]++(?=\s++(?:BEFORE|AFTER)\s))/;
my $objectHeader = qr/^(?:\/\*!\d+ )?CREATE$gap(?:OR REPLACE$gap)?(?<algorithm>ALGORITHM=\w++$gap)?(?:DEFINER=$identifier(?:\@$identifier)?$gap)?(?:SQL SECURITY \w++$gap)?(?:AGGREGATE$gap)?(?<kind>PROCEDURE|FUNCTION|PACKAGE BODY|PACKAGE|TRIGGER|EVENT|VIEW|SEQUENCE)\b(?:$gap(?:IF NOT EXISTS\s++)?$qualifier?$named)?/i;
sub objectOf {
  return unless substr($_[0], 0, 4096) =~ $objectHeader;
  my ($kind, $written) = (uc $+{kind}, $+{named});
  return if $kind eq 'VIEW' && !defined $+{algorithm};
  # An event's name is in utf8 always; others are in the client's character set, except those of MySQL's programs.
  my $isUtf8 = $kind eq 'EVENT' || (defined $oneRowBytes && $kind ne 'VIEW') || $client =~ /^(?:|binary|utf8\w*)$/;
  my $isShown = defined $written && ($isUtf8 || $written !~ /[\x80-\xff]/);
  my $plain = !$isShown ? undef : $written =~ /^["\x60]/ ? unquoted($written) : $written;
  report(join ' ', 'object', $kind =~ s/ /_/r, words($database), defined $plain ? words($plain) : '?');
}

sub settingsOf {
  my ($statement) = @_;
  my $before = "$characterSet $plainBackslash $ansiQuotes";
  my $told;
  if ($statement =~ /\bcharacter_set_client\s*=\s*([^\s,;]+)/i) {
    my $set = $1;
    $characterSet = defined $pairs{$set} ? $set : '';
    # Of a view or a stored program. What else there is, tables, begins and ends with ASCII.
    $told = substr($set, 0, 1) eq '@' ? $names : $set if $statement =~ /^\/\*!5000/;
  }
  if ($statement =~ /\bsql_mode\s*= ?('[^']*'|\@)/i) {
    $plainBackslash = index($1, 'NO_BACKSLASH_ESCAPES') >= 0 ? 1 : 0;
    $ansiQuotes = index($1, 'ANSI_QUOTES') >= 0 ? 1 : 0;
  }
  if ($statement =~ /^\/\*!\d+ SET NAMES (\w+)/) {
    $names = $client = $1;
    # mysqldump writes all text with the introducer _binary, except JSON, which MySQL does not read as binary (3144).
    if (defined $oneRowBytes && $names eq 'binary') { insertAfter('/*!40101 SET NAMES utf8mb4 */;'); $names = $client = 'utf8mb4' }
  }
  if ($statement =~ /\@OLD_SQL_MODE=\@\@SQL_MODE, SQL_MODE='([^']*)'/) { insertAfter(join "\n", keepingValues($1)) }
  readAs() if $before ne "$characterSet $plainBackslash $ansiQuotes";
  if (@last && $statement =~ /\bTIME_ZONE=\@OLD_TIME_ZONE\b/) { insertAfter(join "\n", map { "$_;" } splice @last) }
  # The client must read what follows as the server will. In its own character set it takes bytes of a character for
  # quotes, or for white space at the end of the statement, and removes them.
  insertAfter("\\C $told") if defined $told && $told ne $client;
  $client = $told if defined $told;
}

sub inInsert {
  my ($ended) = @_;
  # One search for a single byte is cheap enough even where a line is longer than the buffer.
  my $lines = $bytesInLine < 4096 || index($buffer, "\n", $position) >= 0;
  my $found = $lines ? index($buffer, ";\n", $position) : -1;
  my $end = $found >= 0 ? $found + 1 : length($buffer);
  # The line end may be the first byte of what comes next.
  $end-- if $found < 0 && $end > $position && substr($buffer, -1) eq ';';
  if ($table->{real}) {
    if ($found < 0 && !$ended) {
      $end = rindex($buffer, "\n", $end) + 1;
      if ($end <= $position) {
        return rewriteRows() if ahead() > 2097152;
        $text .= substr($buffer, $begin, $position - $begin);
        return 0;
      }
    }
    if (substr($buffer, $position, $end - $position) =~ /[(,]-0[,)]/) {
      my $rows = withExponents(substr($buffer, $position, $end - $position));
      substr($buffer, $position, $end - $position, $rows);
      $end = $position + length $rows;
    }
  }
  $lineEnds += lineEndsUntil($end) if $lines;
  if ($passedBytes + $end - $begin <= $countedBytes) { $text .= substr($buffer, $begin, $end - $begin) }
  $position = $end;
  if ($found < 0) {
    refuse() if $passedBytes + $position - $begin > $limit;
    return 0;
  }
  my $bytes = $passedBytes + $position - $begin - 1;
  refuse() if $bytes > $limit;
  # With its line end, which nothing else needs.
  $position++;
  handOn();
  setNames('binary') if defined $typed;
  rowsOf($bytes);
  endOfInsert($bytes);
  return 1;
}

sub endOfInsert {
  my ($bytes) = @_;
  $table->{bytes} += $bytes + 2;
  $longest = $bytes if $bytes > $longest;
  ofTable($bytes);
  ($state, $text) = (0, '');
}

# Whichever is faster for lines as long as the last ones: a jump from one to the next, or a look at each byte.
my $eightLines = qr/\G.*+\n.*+\n.*+\n.*+\n.*+\n.*+\n.*+\n.*+\n/;
sub lineEndsUntil {
  my ($end) = @_;
  my $counted = 0;
  my $part = substr($buffer, $position, $end - $position);
  if ($bytesInLine < 115) { $counted = ($part =~ tr/\n//) }
  else {
    $counted += 8 while $part =~ /$eightLines/gc;
    $counted++ while $part =~ /\G.*+\n/gc;
  }
  $bytesInLine = ($end - $position) / ($counted + 1);
  return $counted;
}

# The lines without the first where that holds no row.
sub rowsOf {
  my ($bytes) = @_;
  my $ownLine = $header =~ /\n$/;
  $layout = 'lines' if $ownLine || $lineEnds > 0;
  if ($layout eq 'lines') { $table->{rows} += $ownLine ? $lineEnds : $lineEnds + 1; return }
  my $rows = $bytes < $countedBytes ? rowsIn($text) : defined $oneRowBytes ? 1 : undef;
  if (defined $rows) { $table->{rows} += $rows; $layout = 'line' if $rows > 1 }
  else { $table->{unsure}++ }
}

sub rowsIn {
  my ($statement) = @_;
  my $rows = 0;
  pos($statement) = length $header;
  $rows++ while $statement =~ /\G\((?:[^'()]++|'(?:[^'\\]++|\\[\s\S])*+')*+\)[,;]/gc;
  return pos($statement) == length $statement ? $rows : undef;
}

sub readTexts {
  my %read;
  my $notes = notes();
  while (<$notes>) {
    my ($set, @pair) = split;
    if ($set eq ':rounds') { $rounds{$pair[0]} = $pair[1]; next }
    if ($set eq ':last') { push @last, pack('H*', $pair[0]); next }
    if ($set eq ':mode') { push @modes, $pair[0]; next }
    if ($set eq ':after') { push @{$after{$pair[0]}}, pack('H*', $pair[1]); next }
    my ($utf8, $converted) = map { pack('H*', $_) } @pair;
    $read{$set}{$utf8} = $converted;
  }
  return \%read;
}

# What mariadb-dump writes in utf8 of a program: its definer, an event's name and comment, a routine's type and comment.
sub translated {
  my ($statement) = @_;
  my $ident = quotedName();
  my $definer = qr/DEFINER=$ident\@$ident/;
  return $statement unless $statement =~ /^(?:CREATE|\/\*!50\d{3} CREATE\*\/)(?: \/\*!50\d{3})? (?:$definer)/gc;
  my $from = 0;
  my $written = '';
  my $upTo = sub { $written .= $_[0]; $from = pos($statement) };
  $upTo->(inClient(substr($statement, 0, pos($statement))));
  if ($statement =~ /\G\*\/ \/\*!50\d{3} EVENT /gc) {
    while ($statement !~ /\G DO /gc && $statement =~ /\G(?:$name|$string|[\s\S])/gc) { }
    $upTo->(inClient(substr($statement, $from, pos($statement) - $from)));
  } elsif ($statement =~ /\G (?:AGGREGATE )?(?:PROCEDURE|FUNCTION|PACKAGE(?: BODY)?) /gc) {
    my $pair = $pairs{$characterSet} || qr/(?!)/;
    my $text = $plainBackslash ? qr/'(?:$pair|[^'])*+'/ : qr/'(?:$pair|[^'\\]|\\[\s\S])*+'/;
    my $inside = qr/$pair|\x60(?:$pair|[^\x60])*+\x60|$text/;
    my $parameters = qr/(?<list>\((?:$inside|[^()]|(?&list))*+\))/;
    # MySQL writes the name in utf8.
    if (defined $oneRowBytes && $statement =~ /\G$ident/gc) {
      $upTo->(inClient(substr($statement, $from, pos($statement) - $from)));
      $statement =~ /\G$parameters/gc;
    }
    elsif ($ansiQuotes && $statement =~ /\G"/) { $statement =~ /\G"(?:$pair|[^"]|"")*+"(?:$parameters)?/gc }
    else { $statement =~ /\G(?:$pair|[^\x60]|\x60\x60)*?\x60(?:$pair|[^\x60]|\x60\x60)*+\x60(?:$parameters)?/gc }
    $upTo->(substr($statement, $from, pos($statement) - $from));
    # In the sql_mode ORACLE it is RETURN, and what a package is like begins in the same line.
    $statement =~ /\G(?: RETURNS? (?:$string|[^\n'])*+)?(?:\n?    [A-Z][^\n']*+(?:$string)?)*+/gc;
    $upTo->(inClient(substr($statement, $from, pos($statement) - $from)));
  } elsif (defined $oneRowBytes && $statement =~ /\G\*\/ \/\*!50\d{3} TRIGGER $ident [A-Z]+ [A-Z]+ ON $ident FOR EACH ROW /gc) {
    $upTo->(inClient(substr($statement, $from, pos($statement) - $from)));
  }
  return $written . substr($statement, $from);
}

sub inClient {
  my ($code) = @_;
  my $known = $texts->{$client};
  my $pair = $pairs{$client} || qr/(?!)/;
  my $ident = quotedName();
  $code =~ s{($ident)|($string)}{
    my $token = defined $1 ? $1 : $2;
    my $quote = substr($token, 0, 1);
    my $plain = $quote eq "'" ? unescaped($token) : unquoted($token);
    my $as = $known->{$plain};
    if ($plainBackslash && $quote eq "'") {
      my $character = defined $as ? $pair : qr/(?!)/;
      $as = $plain unless defined $as;
      $as =~ s/($character)|'/defined $1 ? $1 : "''"/ge;
      $token = "'$as'";
    } elsif (defined $as) {
      $as =~ s/($pair)|([\\'"\x60])/defined $1 ? $1 : $2 eq $quote ? "$2$2" : $2 eq "\\" && $quote eq "'" ? "\\\\" : $2/ge;
      $token = "$quote$as$quote";
    }
    $token
  }ge;
  return $code;
}

# With ANSI_QUOTES the server writes definers and names of routines in double quotes, and the tool the rest.
sub quotedName { $ansiQuotes ? qr/$name|"(?:[^"]++|"")*+"/ : $name }

sub unescaped {
  my $plain = substr($_[0], 1, -1);
  my %sign = (n => "\n", r => "\r", 0 => "\0", Z => "\x1a");
  $plain =~ s/''|\\([\s\S])/defined $1 ? (exists $sign{$1} ? $sign{$1} : $1) : "'"/ge;
  return $plain;
}

# What the values of a dump need of the session: dates that do not exist, and rows that violate a CHECK.
sub keepingValues {
  return ("/*!40101 SET SQL_MODE='" . join(',', grep { $_ ne '' } $_[0], 'ALLOW_INVALID_DATES', @modes) . "' */;",
    '/*M!100201 SET SESSION check_constraint_checks=0 */;');
}

# A binary literal is no text: UUID, INET4 and INET6 take it for the value's own bytes. Where all text of the table is in
# one character set that a connection can have, the connection has it while the rows are written: then nothing is
# converted. Else each such literal gets an introducer. Null: the table has no such column.
my $nested = qr/(?<nested>\((?:[^()'\x60]++|$string|$name|(?&nested))*+\))/;
sub typedColumns {
  my ($statement) = @_;
  my (@columns, %sets, $found);
  return undef unless $statement =~ /\x60 (?:uuid|inet[46])\b/;
  return undef unless $statement =~ /^CREATE TABLE $name \(\n/gc;
  while ($statement =~ /\G  (?<column>$name) (?<type>\w++)(?<rest>(?:[^,()'\x60\n]++|$string|$name|$nested)*+),?\n/gc) {
    my ($column, $type, $rest) = @+{qw(column type rest)};
    my $isTyped = $type =~ /^(?:uuid|inet4|inet6)$/;
    $found ||= $isTyped;
    push @columns, { name => $column, typed => $isTyped };
    next unless $type =~ /^(?:char|varchar|tinytext|text|mediumtext|longtext|enum|set)$/;
    $rest =~ s/$string//g;
    $sets{$rest =~ /^(?:\([^()]*\))? CHARACTER SET (\w+)/ ? $1 : ''} = 1;
  }
  return undef unless $found;
  if (delete $sets{''}) { $sets{$statement =~ /\n\) [^\n]*?DEFAULT CHARSET=(\w+)/ ? $1 : '?'} = 1 }
  $sets{utf8mb4} = 1 if delete($sets{utf8}) + delete($sets{utf8mb3}) + (keys %sets == 0);
  my ($only, @others) = keys %sets;
  return { columns => \@columns, names => @others == 0 && $only =~ /^(?:utf8mb4|latin\d|cp125\d|koi8[ru])$/ ? $only : undef };
}

sub beginTyped {
  if (defined $typed->{names}) { setNames($typed->{names}); return 0 }
  my %isTyped = map { $_->{name} => $_->{typed} } @{$typed->{columns}};
  my @in = map { $_->{name} } @{$typed->{columns}};
  if ($header =~ /INTO $name \(/g) {
    @in = ();
    push @in, $1 while $header =~ /\G(?:, )?($name|\w++)/gc;
  }
  $typed->{at} = [map { $isTyped{$_} } @in];
  ($state, $position) = (3, length $header);
  handOn();
  return 1;
}

# A negative zero of a DOUBLE or FLOAT column is written as -0. The server reads that as an integer, which has no sign.
# An INSERT is searched in pieces of whole rows, each of which begins a line; one without lines is held as a whole.
sub negativeDefaults {
  my ($statement) = @_;
  my ($in) = $statement =~ /^CREATE TABLE ($name) /;
  # A table with history accepts no ALTER otherwise.
  my $set = $statement =~ /\n\)[^\n]* WITH SYSTEM VERSIONING/ ? 'SET STATEMENT system_versioning_alter_history = KEEP FOR ' : '';
  return map { $set . "ALTER TABLE $in ALTER $_ SET DEFAULT -0e0;" }
    $statement =~ /^  ($name) (?:double|float)[\w(), ]*? DEFAULT -0(?=[, \n])/mg;
}

# A quantifier has a limit.
sub withExponents {
  my ($rows) = @_;
  my ($written, $from) = ('', 0);
  while (1) {
    1 while $rows =~ /\G(?:[^'-]++|'(?:[^'\\]++|\\[\s\S]){0,30000}+'|-(?!0[,)])){1,30000}+/gc;
    if ($rows =~ /\G-0/gc) {
      $written .= substr($rows, $from, pos($rows) - $from) . 'e0';
      $from = pos($rows);
      next;
    }
    last unless $rows =~ /\G'/gc;
    1 while $rows =~ /\G(?:[^'\\]++|\\[\s\S]){1,30000}+/gc;
    last unless $rows =~ /\G'/gc;
  }
  return $written . substr($rows, $from);
}

# From here on the rows are counted one by one.
sub rewriteRows {
  $table->{rows} += $header =~ /\n$/ ? $lineEnds - 1 : $lineEnds;
  handOn();
  $state = 3;
  return 1;
}

# All that is there is handed on, in pieces: a row may be as long as a statement. No parenthesis and no semicolon is
# outside of quotes, except those that begin and end a row and the statement.
my $wholeValue = qr/\G(?:[^'(),;]++|'(?:[^'\\]++|\\[\s\S])*+')[,)]/;
sub inRewrittenRows {
  my ($ended) = @_;
  my ($written, $from, $isTyped) = ('', 0, defined $typed && $typed->{at} || []);
  pos($buffer) = 0;
  while (1) {
    if ($inside ne '') {
      1 while $buffer =~ /\G(?:[^'\\]++|\\[\s\S]){1,30000}+/gc;
      # Else the rest, or what a backslash at the end escapes, comes with the next bytes.
      last unless $buffer =~ /\G'/gc;
      ($inside, $begins) = ('', 0);
    }
    my $at = pos($buffer);
    if ($begins && substr($buffer, $at, 1) eq '-') {
      last if !$ended && length($buffer) < $at + 3;
      if (substr($buffer, $at, 3) =~ /^-0[,)]/) {
        $written .= substr($buffer, $from, $at - $from) . '-0e0';
        $from = $at + 2;
      }
    }
    if ($begins && $buffer =~ /$wholeValue/gc) {
      if ($isTyped->[$column] && substr($buffer, $at, 1) eq "'") {
        $written .= substr($buffer, $from, $at - $from) . '_latin1';
        $from = $at;
      }
      if (substr($buffer, pos($buffer) - 1, 1) eq ',') { $column++ } else { $table->{rows}++; $begins = 0 }
      next;
    }
    if (!$begins && $buffer =~ /\G,\n\(/gc) { ($column, $begins) = (0, 1); next }
    if ($buffer =~ /\G[^'(),;]++/gc) { ($at, $begins) = (pos($buffer), 0) }
    last if $at == length $buffer;
    my $sign = substr($buffer, $at, 1);
    if ($sign eq ';') {
      # Its line end is handed on with it.
      last if $at + 1 == length($buffer) && !$ended;
      my $end = $at + 2;
      $written .= substr($buffer, $from, $end - $from);
      substr($buffer, 0, $end, '');
      insert($written);
      my $bytes = $passedBytes + length($written) - 2;
      refuse() if $bytes > $limit;
      setNames('binary') if defined $typed && defined $typed->{names};
      endOfInsert($bytes);
      return 1;
    }
    pos($buffer) = $at + 1;
    if ($sign eq "'") {
      if ($begins && $isTyped->[$column]) { $written .= substr($buffer, $from, $at - $from) . '_latin1'; $from = $at }
      $inside = "'";
    }
    elsif ($sign eq ')') { $table->{rows}++; $begins = 0 }
    elsif ($sign eq '(') { ($column, $begins) = (0, 1) }
    else { $column++; $begins = 1 }
  }
  my $end = pos($buffer);
  $written .= substr($buffer, $from, $end - $from);
  substr($buffer, 0, $end, '');
  insert($written);
  $passedBytes += length $written;
  refuse() if $passedBytes > $limit;
  return 0;
}

sub refuse {
  report('refused ' . words($database, $table->{name}));
  flush();
  die "A statement is longer than any server takes.\n";
}

sub ofTable {
  my ($bytes) = @_;
  $table->{longest} = $bytes if $bytes > $table->{longest};
}

sub nextTable {
  closeTable();
  $table = { name => $_[0], rows => 0, unsure => 0, bytes => 0, longest => 0, database => $database };
}

# One whose rows depend on how the tool lays them out waits until that is known.
sub closeTable {
  return unless defined $table;
  if ($table->{unsure}) { push @unresolved, $table } else { told($table) }
  $table = undef;
}

sub told {
  my ($one) = @_;
  my $rows = $one->{unsure} == 0 ? $one->{rows} : $layout eq 'lines' ? $one->{rows} + $one->{unsure} : '?';
  report(join ' ', 'table', words($one->{database}, $one->{name}), $rows, $one->{bytes}, $one->{longest});
}

sub finish {
  closeTable();
  told($_) for @unresolved;
  report("longest $longest");
}

sub words { join ' ', map { '.' . unpack('H*', $_) } @_ }

sub unquoted {
  my ($quote, $plain) = (substr($_[0], 0, 1), substr($_[0], 1, -1));
  $plain =~ s/$quote$quote/$quote/g;
  return $plain;
}
`;
