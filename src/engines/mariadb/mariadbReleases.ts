/** For example, 10.11 is 1011 and 11.4 is 1104. */
export function releaseOf(version: string): number {
  const [major = 0, minor = 0] = version.split('.').map((part) => Number.parseInt(part, 10));
  return major * 100 + minor;
}

export function releaseName(release: number): string {
  return `${Math.floor(release / 100)}.${release % 100}`;
}

/** The first release (1003 is 10.3) that supports each feature that an inventory may need. */
export const mariadbFeatures: ReadonlyMap<string, number> = new Map([
  ['system versioning', 1003],
  ['invisible columns', 1003],
  ['compressed columns', 1003],
  ['sequences', 1003],
  ['packages', 1003],
  ['periods', 1004],
  ['unique keys of any length', 1004],
  ['WITHOUT OVERLAPS', 1005],
  ['type inet6', 1005],
  ['ignored indexes', 1006],
  ['type uuid', 1007],
  ['type inet4', 1010],
  ['history of versioned tables', 1011],
  ['type vector', 1107],
  ['type xmltype', 1203],
]);

const libraries: Readonly<Record<string, string>> = {
  ARCHIVE: 'ha_archive',
  BLACKHOLE: 'ha_blackhole',
  CONNECT: 'ha_connect',
  FEDERATED: 'ha_federatedx',
  MROONGA: 'ha_mroonga',
  OQGRAPH: 'ha_oqgraph',
  ROCKSDB: 'ha_rocksdb',
  S3: 'ha_s3',
  SPHINX: 'ha_sphinx',
  SPIDER: 'ha_spider',
  TOKUDB: 'ha_tokudb',
};

export function engineInstallation(engine: string): string {
  const library = libraries[engine.toUpperCase()];
  if (library === undefined) return `Install the engine on the target.`;
  return `Run on the target: INSTALL SONAME '${library}'; (the library is part of the server or of a separate package; see the manual of the engine).`;
}
