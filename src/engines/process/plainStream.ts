import type { Readable } from 'node:stream';
import { createInterface } from 'node:readline';
import type { ToolCommand } from './startTool.js';

/** What passed an observer. */
export type PlainStream = {
  readonly sizeBytes: number;
  /** The last 256 bytes, or fewer, as Latin-1. */
  readonly tail: string;
  /** How many lines began with the mark that was to be counted. */
  readonly marks: number;
};

/**
 * A child between two others that counts what passes and remembers its end: the one copy more that an exact size, a
 * completion line and the number of tables cost (docs/decisions/0003-child-processes-for-dumps.md has the figures). It asks for pipes of 1 MiB
 * (F_SETPIPE_SZ is 1031 on Linux; elsewhere the call fails and nothing changes).
 */
const program = `
use strict;
my ($bytes, $tail, $told, $marks, $seam) = (0, '', 0, 0, '');
my $mark = "\\n" . ($ARGV[0] // '');
my $reach = length($mark) - 1;
open(my $side, '>&=', 3) or die "descriptor 3: $!\\n";
binmode STDIN; binmode STDOUT;
fcntl($_, 1031, 1048576) for (*STDIN, *STDOUT);
while (1) {
  my $read = sysread(STDIN, my $chunk, 1048576);
  die "read: $!\\n" unless defined $read;
  last unless $read;
  my $offset = 0;
  while ($offset < $read) {
    my $written = syswrite(STDOUT, $chunk, $read - $offset, $offset);
    die "write: $!\\n" unless defined $written;
    $offset += $written;
  }
  $bytes += $read;
  $tail = substr($tail . ($read > 256 ? substr($chunk, -256) : $chunk), -256) if $read;
  if ($reach) {
    my $joint = $seam . substr($chunk, 0, $reach);
    $marks++ while $joint =~ /\\Q$mark\\E/g;
    $marks++ while $chunk =~ /\\Q$mark\\E/g;
    $seam = substr($seam . ($read > $reach ? substr($chunk, -$reach) : $chunk), -$reach);
  }
  if (time != $told) { $told = time; syswrite($side, "$bytes\\n"); }
}
syswrite($side, "end $bytes $marks " . unpack('H*', $tail) . "\\n");
`;

/**
 * Run it with descriptor 3 (`side`) and give what that says to `observe`.
 * @param mark the beginning of the lines, after the first, that are to be counted
 */
export function observerCommand(perl: string, mark?: string): Pick<ToolCommand, 'program' | 'args'> {
  return { program: perl, args: ['-e', program, ...(mark === undefined ? [] : ['--', mark])] };
}

export type Observation = {
  /** Bytes so far, told once a second: for progress. */
  readonly bytesSoFar: () => number;
  /** Undefined: the observer did not live to see the end. Never rejects. */
  readonly seen: Promise<PlainStream | undefined>;
};

export function observe(side: Readable): Observation {
  let bytes = 0;
  let stream: PlainStream | undefined;
  const lines = createInterface({ input: side });
  const seen = new Promise<PlainStream | undefined>((resolve) => lines.once('close', () => resolve(stream)));
  lines.on('line', (line) => {
    const end = /^end (\d+) (\d+) ([0-9a-f]*)$/.exec(line);
    if (end !== null) {
      const tail = Buffer.from(end[3] ?? '', 'hex').toString('latin1');
      stream = { sizeBytes: Number(end[1]), marks: Number(end[2]), tail };
    }
    bytes = Number(end?.[1] ?? line);
  });
  side.once('close', () => lines.close());
  return { bytesSoFar: () => bytes, seen };
}
