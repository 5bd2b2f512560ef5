/**
 * Perl source that reads the table of contents at the beginning of an archive of pg_dump, in `our $buffer`. The format
 * `custom` has the versions 1.12 to 1.16 (PostgreSQL's source, pg_backup_archiver.c and pg_backup_custom.c): numbers have a
 * byte for the sign and four bytes, texts have their length first.
 *
 * `next_entry()` returns an entry, `'end'` after the last one, `'unknown'` for an archive of another form, or undef until the
 * buffer has more bytes. `$at` is the number of bytes of the buffer that were understood.
 */
export const contentsReader = String.raw`
my ($at, $minor, $entries) = (0, 0, undef);
sub wants { length($buffer) >= $at + $_[0] or die "more\n" }
sub number { wants(5); my ($sign, $n) = unpack('CV', substr($buffer, $at, 5)); $at += 5; $sign ? -$n : $n }
sub text { my $n = number(); return undef if $n < 0; wants($n); my $text = substr($buffer, $at, $n); $at += $n; $text }
sub head {
  wants(11);
  my ($magic, $major, $next, undef, $ints, $offsets, $format) = unpack('A5C6', substr($buffer, $at, 11));
  return 0 if $magic ne 'PGDMP' || $major != 1 || $next < 12 || $next > 16 || $ints != 4 || $offsets != 8 || $format != 1;
  $minor = $next; $at += 11;
  if ($minor >= 15) { wants(1); $at += 1 } else { number() }
  number() for 1 .. 7;
  text() for 1 .. 3;
  $entries = number();
  1;
}
sub entry {
  my %entry = (id => number());
  number(); text(); text();
  @entry{'tag', 'what'} = (text(), text());
  number();
  $entry{definition} = text();
  text() for 1 .. 2;
  $entry{schema} = text();
  text();
  text() if $minor >= 14;
  number() if $minor >= 16;
  text(); text();
  1 while defined text();
  wants(9); $at += 9;
  $entries--;
  \%entry;
}
sub whole {
  my $before = $at;
  my $found;
  return $found if eval { $found = $_[0]->(); 1 };
  die $@ if $@ ne "more\n";
  $at = $before;
  undef;
}
sub next_entry {
  if (!defined $entries) {
    my $known = whole(\&head);
    return undef unless defined $known;
    return 'unknown' unless $known;
  }
  $entries <= 0 ? 'end' : whole(\&entry);
}
`;
