import { existsSync, readFileSync } from 'node:fs';

/** The version in package.json, which is one folder above src/ and two above dist/src/. */
export function programVersion(): string {
  const places = ['../package.json', '../../package.json'].map((place) => new URL(place, import.meta.url));
  const found = places.find((place) => existsSync(place));
  if (found === undefined) throw new Error('package.json is not beside the program. Install it again.');
  return (JSON.parse(readFileSync(found, 'utf8')) as { version: string }).version;
}
