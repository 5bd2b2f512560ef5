import { closeSync, fchmodSync, openSync, unlinkSync, writeSync } from 'node:fs';
import { join } from 'node:path';

/** Texts that one tool reads as files, for example its login. No other user and no other tool can read them. */
export type ToolFiles = {
  /** Returns the path under which the tool, and only the tool, reads the text. */
  add(text: string): string;
  /**
   * Descriptors for the child, from `firstDescriptor` up. `startTool` opens and closes them. Who must know before the
   * start whether there is room for the files opens them earlier, and then also calls `close`.
   */
  open(): readonly number[];
  /** Idempotent. */
  close(): void;
};

/** The lower descriptors are standard input, output and error, and the descriptor for the reports of a tool. */
const firstDescriptor = 4;

const descriptors = process.platform === 'linux' ? '/proc/self/fd' : '/dev/fd';

/**
 * A file has a name only until it is opened, in a folder that only we can enter. The tool gets the open file as a
 * descriptor and opens it a second time by the path of this descriptor, which exists for this tool alone. The tool may
 * have another uid, so the file itself is readable for everybody (proc_pid_fd(5): the second open checks the mode).
 */
export function createToolFiles(privateFolder: string): ToolFiles {
  const texts: string[] = [];
  let opened: number[] = [];
  const close = () => {
    const all = opened;
    opened = [];
    all.forEach(closeSync);
  };
  return {
    close,
    add: (text) => `${descriptors}/${firstDescriptor + texts.push(text) - 1}`,
    open() {
      try {
        for (const text of texts.slice(opened.length)) opened.push(openNameless(privateFolder, text));
        return opened;
      } catch (error) {
        close();
        throw error;
      }
    },
  };
}

function openNameless(folder: string, text: string): number {
  const path = join(folder, `${crypto.randomUUID()}.once`);
  const writer = openSync(path, 'wx', 0o644);
  try {
    // The umask of this process does not hold for this file.
    fchmodSync(writer, 0o644);
    writeAll(writer, Buffer.from(text));
    return openSync(path, 'r');
  } finally {
    closeSync(writer);
    unlinkSync(path);
  }
}

function writeAll(descriptor: number, bytes: Buffer): void {
  for (let written = 0; written < bytes.length;) written += writeSync(descriptor, bytes, written);
}
