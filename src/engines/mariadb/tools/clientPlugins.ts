import { access, realpath } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/**
 * The folder from which a MariaDB tool loads the plugins that it logs in with, such as client_ed25519: one beside the
 * tool, or else the system's, which its own library reads as well. A tool that was unpacked somewhere knows only the
 * folder that it was built for. Undefined where there is none: then the tool looks in that folder.
 */
export async function findClientPlugins(tool: string): Promise<string | undefined> {
  const program = await realpath(tool).catch(() => tool);
  const roots = [...new Set([dirname(dirname(program)), '/usr'])];
  for (const folder of roots.flatMap((root) => folders.map((folder) => join(root, folder)))) {
    const found = await access(join(folder, 'client_ed25519.so')).then(
      () => true,
      () => false,
    );
    if (found) return folder;
  }
  return undefined;
}

const folders = [
  'lib/plugin',
  'lib/mariadb/plugin',
  'lib/mysql/plugin',
  // Debian and Ubuntu
  'lib/x86_64-linux-gnu/libmariadb3/plugin',
  'lib/aarch64-linux-gnu/libmariadb3/plugin',
  // Red Hat, Fedora and SUSE
  'lib64/mariadb/plugin',
  'lib64/mysql/plugin',
];
