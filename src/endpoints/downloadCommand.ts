import { join } from 'node:path';
import { requiredRoot } from './openStorage.js';
import type { FileEndpointRow } from './fileEndpointView.js';

/**
 * The piece of a shell line that writes an object to standard output, for a person with nothing but the container.
 * `swift` takes address and credentials from the OS_… or ST_… variables.
 */
export function downloadCommand(
  { settings }: Pick<FileEndpointRow, 'settings'>,
  filesystemRoot: string | null,
): (objectName: string) => string {
  if (settings.kind === 'SWIFT') {
    return (objectName) => `swift download -o - ${shellWord(settings.container)} ${shellWord(objectName)}`;
  }
  const folder = join(requiredRoot(filesystemRoot), settings.path);
  return (objectName) => `cat ${shellWord(join(folder, objectName))}`;
}

/** One word for a POSIX shell, quoted only where it must be. */
export function shellWord(text: string): string {
  return /^[A-Za-z0-9_@%+:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
