import { StowageError } from '../errors.js';
import type { ToolVersions } from './process/tools.js';

/** The releases of a server that need a tool of at least the same release, the oldest first. */
export type ToolReleases = { readonly tool: string; readonly releases: readonly string[] };

/** The part of an engine that this file needs. */
type Needing = { readonly name: string; readonly toolReleases?: ToolReleases };

/** The needs that these tools meet. A job whose need is known is claimed only by a worker that meets it. */
export function needsMetBy({ name, toolReleases }: Needing, versions: ToolVersions): readonly string[] {
  if (toolReleases === undefined) return [];
  const { tool, releases } = toolReleases;
  const installed = versions[tool] ?? [];
  return releases
    .filter((release) => installed.some((version) => isAtLeast(version, release)))
    .map((release) => needNamed(name, tool, release));
}

/**
 * The need of a job that failed because the tools of this worker are too old for its server. Undefined: it failed for
 * another reason, or no worker could name the need.
 */
export function needOf(error: unknown, { name, toolReleases }: Needing): string | undefined {
  if (!(error instanceof StowageError) || error.code !== 'TOOL_VERSION' || toolReleases === undefined) return undefined;
  const { tool, releases } = toolReleases;
  const release = releases.find((each) => each === error.details['release']);
  return release === undefined ? undefined : needNamed(name, tool, release);
}

/** As the queue stores it in the place of the engine: engine, tool and release, which contain no space. */
function needNamed(engine: string, tool: string, release: string): string {
  return `${engine} ${tool} ${release}`;
}

function isAtLeast(version: string, release: string): boolean {
  return version.localeCompare(release, 'en', { numeric: true }) >= 0;
}
