import { AttemptCount, type StrangersGround, type StrangersGroup } from '../stranger.js';

/** A project that tries to get file endpoints in the folders of another project, or several in one folder. */
export const greedyPlaces: readonly StrangersGroup[] = [{ name: 'places', run: takePlaces }];

type Answer = {
  readonly data?: { readonly made: { readonly id: string; readonly location?: string } | null } | null;
  readonly errors?: readonly { readonly message: string; readonly extensions: { readonly code: string } }[];
};

async function takePlaces(ground: StrangersGround): Promise<AttemptCount> {
  const count = new AttemptCount();
  const [own, other] = [await madeProject(ground, 'Greedy'), await madeProject(ground, 'Modest')];
  const theirs = await attempt(ground, other, 'backups');
  const location = theirs.data?.made?.location;
  if (location === undefined) throw new Error(JSON.stringify(theirs));
  const root = location.slice(0, -`/project-${other}/backups`.length);
  const home = `${root}/project-${own}/`;
  const judge = (what: string, { data, errors }: Answer): void => {
    count.attempts += 1;
    const code = errors?.[0]?.extensions.code;
    if (code !== undefined) count.refused(code);
    const at = data?.made?.location;
    if (at !== undefined && !at.startsWith(home)) count.problems.push(`${what}: the endpoint is at ${at}.`);
    if (code === 'INTERNAL' || (at === undefined && code === undefined)) {
      count.problems.push(`${what}: ${JSON.stringify(errors ?? data)}`);
    }
    if (JSON.stringify(errors ?? []).includes(other)) count.problems.push(`${what}: the refusal names the project.`);
  };
  for (const path of pathsTo(other, root)) judge(JSON.stringify(path), await attempt(ground, own, path));
  for (const prefix of ['../backups', '.stowage.json', 'a/.stowage-partial-1', inBackup, `${inBackup}/segments`]) {
    const answer = await attempt(ground, own, 'prefixed', prefix);
    judge(prefix, answer);
    if (answer.errors === undefined) count.problems.push(`The prefix ${prefix} was not refused.`);
  }
  for (let race = 0; race < (ground.all ? 20 : 3); race += 1) {
    const paths = [`race${race}`, `race${race}/inner`, `RACE${race}`, `race${race}`, `race${race}/inner/most`];
    const answers = await Promise.all(paths.map((path) => attempt(ground, own, path)));
    for (const [index, answer] of answers.entries()) judge(paths[index] ?? '', answer);
    const made = answers.filter(({ data }) => typeof data?.made?.id === 'string').length;
    if (made !== 1) count.problems.push(`${made} of ${paths.length} endpoints in one folder were saved.`);
  }
  return count;
}

const inBackup = 'orders-01234567/2026/03/20260302T050000Z-89abcdef-a1';

/** Ways to write a folder of another project. */
function pathsTo(projectId: string, root: string): readonly string[] {
  const folder = `project-${projectId}`;
  const ways = [folder, `${folder}/backups`, `${folder}/backups/inner`, `${folder}/new`];
  return [
    ...ways.flatMap((way) => [way, `${root}/${way}`, `../${way}`, `./${way}`, `/${way}`, `a/../../${way}`, `${way}/`]),
    ...[`${folder.toUpperCase()}/backups`, `${root}/./${folder}/backups`, `${root}//${folder}/backups`],
    ...[
      `${folder}%2Fbackups`,
      `..%2f${folder}`,
      `..\\${folder}\\backups`,
      `${folder}/backups\u0000`,
      `\u2025/${folder}`,
    ],
    ...[
      `ｐroject-${projectId}/backups`,
      `project\u2010${projectId}/backups`,
      `${folder} /backups`,
      `${folder}./backups`,
    ],
    ...[
      root,
      `${root}/`,
      '.',
      '..',
      '/',
      '',
      '*',
      `${folder}/../${folder}/backups`,
      '.stowage.json',
      'x/.STOWAGE.json',
    ],
  ];
}

async function madeProject(ground: StrangersGround, name: string): Promise<string> {
  const answer = await post(ground, 'mutation ($name: String!) { made: createProject(name: $name) { id } }', { name });
  const id = answer.data?.made?.id;
  if (id === undefined) throw new Error(JSON.stringify(answer));
  return id;
}

let named = 0;

function attempt(ground: StrangersGround, projectId: string, path: string, prefix?: string): Promise<Answer> {
  named += 1;
  const input = { projectId, name: `place ${named}`, prefix, settings: { filesystem: { path } } };
  const create = 'mutation ($input: FileEndpointInput!) { made: createFileEndpoint(input: $input) { id location } }';
  return post(ground, create, { input });
}

async function post({ url, token }: StrangersGround, query: string, variables: object): Promise<Answer> {
  const response = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ query, variables }),
  });
  return (await response.json()) as Answer;
}
