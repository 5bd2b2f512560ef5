import type { Readable } from 'node:stream';
import { createInterface } from 'node:readline';
import type { ToolCommand } from './startTool.js';

/** What passed an observer. */
export type PlainStream = {
  /** Bytes that it handed on. */
  readonly sizeBytes: number;
  /** The last 256 of them, or fewer, as Latin-1. */
  readonly tail: string;
};

/**
 * Perl source that reads the stream as it passes: what a format looks like is the engine's knowledge. It defines
 * - `scan($ended)`: called whenever bytes were added to the end of `our $buffer`, and once more with `$ended` true. It
 *   hands on what it has understood with `pass($length)`, from the front of the buffer, and may leave the rest there
 *   for the next call;
 *
 * and may call
 * - `insert($bytes)`: puts bytes into the stream;
 * - `report($line)`: sends a line to `observe`'s `onFinding`. Names are sent as hex: a line has no line break in it.
 *
 * It runs under `strict`, with the modules of `perl-base` alone. `die` ends the observer, and by that the whole pipeline.
 */
export type Scanner = { readonly source: string; readonly args: readonly string[] };

const passesAll = 'sub scan { pass(length $buffer) }';

/**
 * A child between two others that counts what passes, remembers its end and runs the engine's scanner: the one copy more
 * that an exact size, a completion line and the rows of each table cost
 * (docs/decisions/0003-child-processes-for-dumps.md has the figures). It asks for pipes of 1 MiB (F_SETPIPE_SZ is 1031
 * on Linux; elsewhere the call fails and nothing changes). Small pieces are collected, so that many small tables do not
 * mean many small writes; it reads 64 KiB at once, for what a scanner does at each place of the buffer grows with its size.
 */
const observer = (scanner: string) => String.raw`
use strict;
our ($buffer, $collected) = ('', '');
my ($bytes, $tail, $told) = (0, '', 0);
open(my $side, '>&=', 3) or die "descriptor 3: $!\n";
binmode STDIN; binmode STDOUT; binmode $side;
fcntl($_, 1031, 1048576) for (*STDIN, *STDOUT);
sub put {
  my $length = length $_[0];
  for (my $offset = 0; $offset < $length; ) {
    my $written = syswrite(STDOUT, $_[0], $length - $offset, $offset);
    die "write: $!\n" unless defined $written;
    $offset += $written;
  }
  $bytes += $length;
  $tail = substr($tail . ($length > 256 ? substr($_[0], -256) : $_[0]), -256) if $length;
}
sub flush { if ($collected ne '') { put($collected); $collected = '' } }
sub insert { $collected .= $_[0]; flush() if length $collected > 262144 }
sub pass {
  my $length = $_[0];
  if ($length < 65536) { insert(substr($buffer, 0, $length)) }
  elsif ($length == length $buffer) { flush(); put($buffer) }
  else { flush(); put(substr($buffer, 0, $length)) }
  if ($length == length $buffer) { $buffer = '' } else { substr($buffer, 0, $length, '') }
}
sub report { my $line = "found $_[0]\n"; syswrite($side, $line) == length $line or die "side: $!\n" }
${scanner}
while (1) {
  my $read = sysread(STDIN, $buffer, 65536, length $buffer);
  die "read: $!\n" unless defined $read;
  last unless $read;
  scan(0);
  flush();
  if (time != $told) { $told = time; syswrite($side, "$bytes\n") }
}
scan(1);
flush();
syswrite($side, "end $bytes " . unpack('H*', $tail) . "\n");
`;

/** Run it with descriptor 3 (`side`) and give what that writes to `observe`. */
export function observerCommand(perl: string, scanner?: Scanner): Pick<ToolCommand, 'program' | 'args'> {
  const args = ['-e', observer(scanner?.source ?? passesAll)];
  return { program: perl, args: scanner === undefined ? args : [...args, '--', ...scanner.args] };
}

export type Observation = {
  /** Bytes so far, sent once a second: for progress. */
  readonly bytesSoFar: () => number;
  /** Undefined: the observer did not live to see the end. Never rejects. */
  readonly seen: Promise<PlainStream | undefined>;
};

/** `onFinding` gets each line that a scanner reports, in their order. */
export function observe(side: Readable, onFinding: (line: string) => void = () => undefined): Observation {
  let bytes = 0;
  let stream: PlainStream | undefined;
  const lines = createInterface({ input: side });
  const seen = new Promise<PlainStream | undefined>((resolve) => lines.once('close', () => resolve(stream)));
  lines.on('line', (line) => {
    if (line.startsWith('found ')) {
      onFinding(line.slice('found '.length));
      return;
    }
    const end = /^end (\d+) ([0-9a-f]*)$/.exec(line);
    if (end !== null) stream = { sizeBytes: Number(end[1]), tail: Buffer.from(end[2] ?? '', 'hex').toString('latin1') };
    bytes = Number(end?.[1] ?? line);
  });
  side.once('close', () => lines.close());
  return { bytesSoFar: () => bytes, seen };
}
