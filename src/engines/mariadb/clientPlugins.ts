import { access, realpath } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/**
 * The folder with the login plugins of a MariaDB tool, such as client_ed25519. It is next to the tool, or it is the
 * folder of the system. A tool that was moved to another folder still searches only the folder that it was built for.
 * Undefined: neither folder exists.
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
