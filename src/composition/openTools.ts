import type { ServeConfig, ToolConfig } from '../config.js';
import { ConfigError } from '../configError.js';
import { checkToolUids, readableByTools } from '../engines/checkToolUids.js';
import { drivers } from '../engines/engines.js';
import type { Tools } from '../engines/process/tools.js';
import { createToolUids } from '../engines/process/toolUids.js';
import type { Log } from '../log.js';
import { closeInherited } from './closeInherited.js';

/**
 * How tools are started. Warns of what they could read although they parse what a customer's server sends. Throws
 * ConfigError if they cannot run under the uids of the setting.
 */
export async function openTools(
  {
    toolUids,
    toolFolders,
    pathFolders,
    masterKeyFile,
    filesystemRoot,
  }: ToolConfig & Pick<ServeConfig, 'filesystemRoot'>,
  log: Log,
  isRoot = process.getuid?.() === 0,
): Promise<Tools> {
  if (toolUids === null) {
    const where = 'Tools run under the uid of this process, and can read what it can read';
    if (isRoot) log.warn(`${where}: everything, because it is root. Set STOWAGE_TOOL_UIDS (docs/settings.md).`);
    else log.info(`${where}, because STOWAGE_TOOL_UIDS is unset (docs/settings.md).`);
    return { folders: toolFolders, laterFolders: pathFolders };
  }
  closeInherited();
  const uids = createToolUids(toolUids);
  const problem = await checkToolUids(uids, drivers);
  if (problem !== undefined) throw new ConfigError([problem]);
  const tools = { folders: toolFolders, laterFolders: pathFolders, uids };
  const privatePaths = [masterKeyFile, filesystemRoot].filter((path) => path !== null);
  for (const path of await readableByTools(privatePaths, tools)) {
    log.warn(
      `Tools can read '${path}', because every user of this machine can. Change its mode: chmod o-rwx '${path}'`,
    );
  }
  log.info(`Each tool runs under a uid of its own, from ${toolUids.first} to ${toolUids.last}.`);
  return tools;
}
