/** A longer name is shortened. */
const mostOfName = 100;
const keptOfName = 60;
/** A longer message ends here. */
const mostOfMessage = 2_000;

/** A message of graphql-js with shortened names. The client chooses the names, and a document repeats them up to 20 times. */
export function shortNames(message: string): string {
  const short = message.replace(/"([^"]*)"/g, (quoted, name: string) =>
    name.length > mostOfName ? `"${name.slice(0, keptOfName)}…"` : quoted,
  );
  return short.length > mostOfMessage ? `${short.slice(0, mostOfMessage)}…` : short;
}

/** A path with shortened names. */
export function shortPath(path: string): string {
  const names = path.split('.').map((name) => (name.length > mostOfName ? `${name.slice(0, keptOfName)}…` : name));
  return names.join('.').slice(0, mostOfMessage);
}
