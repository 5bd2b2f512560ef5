import { pipelinePrograms } from '../pipeline/pipelinePrograms.js';
import { onlyVersions, versionNumbers } from '../process/programVersion.js';
import { requireProgram } from '../process/programs.js';
import type { Tools, ToolVersions } from '../process/tools.js';

/** Absolute paths of MariaDB's own tools. */
export type MariadbTools = { readonly dump: string; readonly client: string };

/** The folder of a MariaDB that Homebrew installs without linking it into its own folder. */
const homebrew = '/opt/homebrew/opt/mariadb/bin';

/** Throws TOOL_MISSING, also for the other programs that the pipeline needs. Folders of `tools` come first. */
export function findMariadbTools(tools: Tools): MariadbTools {
  pipelinePrograms(tools);
  return mariadbTools(tools);
}

function mariadbTools(tools: Tools): MariadbTools {
  const folders = [...tools.folders, homebrew];
  return {
    dump: requireProgram('mariadb-dump', 'mariadb-client', folders),
    client: requireProgram('mariadb', 'mariadb-client', folders),
  };
}

/** The version numbers of MariaDB's tools and of the other programs of the pipeline, by name. Throws TOOL_MISSING. */
export async function installedTools(tools: Tools): Promise<ToolVersions> {
  const { dump, client } = mariadbTools(tools);
  return onlyVersions(
    await versionNumbers({ 'mariadb-dump': dump, mariadb: client, ...pipelinePrograms(tools) }, tools),
  );
}
