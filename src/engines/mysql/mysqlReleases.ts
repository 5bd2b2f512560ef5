/** For example, 8.0.33 is 80033, as in the version comments of a dump. */
export function mysqlRelease(version: string): number {
  const [, major = '0', minor = '0', patch = '0'] = /^(\d+)\.(\d+)(?:\.(\d+))?/.exec(version) ?? [];
  return Number(major) * 10_000 + Number(minor) * 100 + Number(patch);
}

export function mysqlReleaseName(release: number): string {
  return `${Math.floor(release / 10_000)}.${Math.floor(release / 100) % 100}.${release % 100}`;
}

/** The first release that supports each feature that an inventory may need (MySQL manual, "CREATE TABLE"). */
export const mysqlFeatures: ReadonlyMap<string, number> = new Map([
  ['invisible columns', 80023],
  ['type vector', 90000],
]);

export function mysqlEngineInstallation(engine: string): string {
  return `Load the engine ${engine} on the target (INSTALL PLUGIN), or remove it from disabled_storage_engines there.`;
}
