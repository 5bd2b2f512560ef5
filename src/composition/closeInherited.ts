import { closeSync, readdirSync, readFileSync } from 'node:fs';

/** O_CLOEXEC in /proc/<pid>/fdinfo, in octal. Node opens everything with it. */
const closedOnExec = 0o2000000;

/**
 * Closes the descriptors that this process has inherited, except for standard input, output and error. Tools would
 * inherit those that Node does not hide at its start (from 16 on), for example the open key file of `STOWAGE_MASTER_KEY_FILE=/dev/fd/63`. Only for Linux.
 */
export function closeInherited(): void {
  for (const name of readdirSync('/proc/self/fd')) {
    if (Number(name) <= 2) continue;
    try {
      const [, flags] = /^flags:\s*([0-7]+)/m.exec(readFileSync(`/proc/self/fdinfo/${name}`, 'utf8')) ?? [];
      if (flags !== undefined && (Number.parseInt(flags, 8) & closedOnExec) === 0) closeSync(Number(name));
    } catch {
      // The descriptor of the listing itself is closed already.
    }
  }
}
