/** "10.11" of "mariadb-dump from 11.4.2-MariaDB…" or "Ver 10.19 Distrib 10.11.19-MariaDB…", and "8.0" of "Ver 8.0.33 for Linux". */
export function distribution(version: string): readonly [major: number, minor: number] | undefined {
  const found = /(?:Distrib|from) (\d+)\.(\d+)/.exec(version) ?? /(\d+)\.(\d+)\.\d+/.exec(version);
  return found === null ? undefined : [Number(found[1]), Number(found[2])];
}
