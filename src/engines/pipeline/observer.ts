import { requireProgram } from '../process/programs.js';
import type { PipelineStep, StepBytes } from './pipelineStep.js';
import type { Tools } from '../process/tools.js';

/**
 * Perl source that reads the stream as it passes. The engine provides it, because only the engine knows the format.
 *
 * It defines `scan($ended)`, which is called whenever bytes were added to the end of `our $buffer`, and once more with
 * `$ended` true. `scan` calls `pass($length)` for the bytes at the front of the buffer that it has understood, and may
 * leave the rest there for the next call. It may also call
 * - `insert($bytes)`: adds bytes to the stream;
 * - `report($line)`: sends a line to `onFinding`. Names are sent as hex, because they may hold line breaks;
 * - `notes()`: a handle to read what `DumpPipeline.run` was given for the scanner.
 *
 * It runs under `strict`, with the modules of `perl-base` only. `die` ends the observer, and with it the whole
 * pipeline.
 */
export type Scanner = { readonly source: string; readonly args: readonly string[] };

const passesAll = 'sub scan { pass(length $buffer) }';

/**
 * A process between two others that counts the passing bytes, keeps the end of the stream and runs the scanner of the
 * engine. docs/decisions/0003-child-processes-for-dumps.md has its cost. It requests pipes of 1 MiB (F_SETPIPE_SZ is
 * 1031 on Linux; elsewhere the call fails and nothing changes). It collects small pieces and findings, so that many small
 * tables do not cause many small writes. It reads only 64 KiB at once, because a scanner is slower in a larger buffer.
 * After a short read it waits for a millisecond: a tool writes a few KiB at a time, and to be woken for each of them costs
 * more than the scanner.
 */
const observer = (scanner: string) => String.raw`
use strict;
our ($buffer, $collected, $findings) = ('', '', '');
my ($received, $bytes, $tail, $told) = (0, 0, '', 0);
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
sub flush {
  if ($collected ne '') { put($collected); $collected = '' }
  if ($findings ne '') { syswrite($side, $findings) == length $findings or die "side: $!\n"; $findings = '' }
}
sub insert { $collected .= $_[0]; flush() if length $collected > 262144 }
sub pass {
  my $length = $_[0];
  if ($length < 65536) { insert(substr($buffer, 0, $length)) }
  elsif ($length == length $buffer) { flush(); put($buffer) }
  else { flush(); put(substr($buffer, 0, $length)) }
  if ($length == length $buffer) { $buffer = '' } else { substr($buffer, 0, $length, '') }
}
sub notes { open(my $notes, '<&', 3) or die "descriptor 3: $!\n"; $notes }
sub report { $findings .= "found $_[0]\n" }
${scanner}
while (1) {
  my $read = sysread(STDIN, $buffer, 65536, length $buffer);
  die "read: $!\n" unless defined $read;
  last unless $read;
  $received += $read;
  scan(0);
  flush();
  if (time != $told) { $told = time; syswrite($side, "$bytes\n") }
  select(undef, undef, undef, 0.001) if $read < 32768;
}
scan(1);
flush();
syswrite($side, "end $received $bytes " . unpack('H*', $tail) . "\n");
`;

export type Observer = PipelineStep & {
  /** The number of bytes so far, sent once a second: for progress. */
  readonly bytesSoFar: () => number;
  /** The last 256 bytes that it passed on, or fewer, as Latin-1. Empty until it has ended. */
  readonly tail: () => string;
};

/** `onFinding` gets each line that the scanner reports, in their order. Throws TOOL_MISSING. */
export function createObserver(
  tools: Tools,
  { scanner, onFinding }: { readonly scanner?: Scanner; readonly onFinding?: (line: string) => void } = {},
): Observer {
  let bytesSoFar = 0;
  let total: StepBytes = { read: undefined, written: undefined };
  let tail = '';
  return {
    title: 'The process that counts the dump',
    needs: 'perl 5',
    program: requireProgram('perl', 'perl-base', tools.folders),
    args: ['-e', observer(scanner?.source ?? passesAll), ...(scanner === undefined ? [] : ['--', ...scanner.args])],
    reportsOn: 'DESCRIPTOR_3',
    onLine: (line) => {
      if (line.startsWith('found ')) {
        onFinding?.(line.slice('found '.length));
        return;
      }
      const [, read, written, hex = ''] = /^end (\d+) (\d+) ([0-9a-f]*)$/.exec(line) ?? [];
      if (read !== undefined) {
        total = { read: Number(read), written: Number(written) };
        tail = Buffer.from(hex, 'hex').toString('latin1');
      }
      bytesSoFar = Number(written ?? line);
    },
    total: () => total,
    bytesSoFar: () => bytesSoFar,
    tail: () => tail,
  };
}
