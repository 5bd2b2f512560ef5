import type { StrangersGround } from '../stranger.js';
import { aliases, halfHourlyDraft, type HostileDocument } from './hostileDocument.js';

/** About a hundred short documents that request much. */
export function siblings(ground: StrangersGround): readonly HostileDocument[] {
  return [
    ...longLists(),
    ...manyTimesForMany(ground),
    ...heavyComputations(ground),
    ...longNamesAndErrors(ground),
    ...introspection(),
    ...documentsThatAreHardToCheck(),
  ];
}

const leaves: Readonly<Record<string, string>> = {
  projects: 'id name createdAt version viewerRole protection { status services }',
  services: 'id name host port createdAt tls { mode ca } lastCheck { ok } protection { status dueBy } viewerActions',
  fileEndpoints: 'id name location storedSize backups lastCheck { ok } lastAudit { at } viewerActions',
  backupPlans:
    'id name frequency { typed description } retention { style } nextRunAt catchUpWindow protection { status dueBy }',
  backupJobs: 'id status message parts { name restoreByHand } attempts { number worker } expectedDeletionAt inventory',
  restoreJobs: 'id status message attempts { number worker } differences { path }',
  events: 'id type summary data actor recordedAt',
};

/** Every list with the largest page, as often as a document may request it. */
function longLists(): readonly HostileDocument[] {
  return Object.entries(leaves).flatMap(([list, fields]) =>
    [1, 2, 5, 25].flatMap((times): HostileDocument[] => [
      {
        name: `${times} times 200 ${list} with all fields`,
        query: `{ ${aliases(times, `${list}(first: 200) { nodes { ${fields} } }`)} }`,
      },
      {
        name: `${times} times 200 ${list} with edges and the number of all`,
        query: `{ ${aliases(times, `${list}(first: 200) { totalCount edges { cursor node { id } } }`)} }`,
      },
    ]),
  );
}

/** A field under many aliases, for each of many ids. */
function manyTimesForMany({ ids }: StrangersGround): readonly HostileDocument[] {
  const forEach = (type: string, of: readonly string[], fields: string, name: string): HostileDocument => ({
    name: `${name} for ${of.length} ids`,
    query: `query ($ids: [ID!]!) { nodes(ids: $ids) { ... on ${type} { ${fields} } } }`,
    variables: { ids: of },
  });
  const onePlan = Array.from({ length: 200 }, () => ids.planIds[0] ?? '');
  const plans = ids.planIds.slice(0, 200);
  return [
    forEach(
      'BackupPlan',
      onePlan,
      aliases(99, (number) => `nextRuns(count: ${number + 1})`),
      'next runs of other counts',
    ),
    forEach('BackupPlan', plans, aliases(3, 'nextRuns(count: 100)'), 'next runs of other plans'),
    forEach('BackupPlan', plans, aliases(50, 'catchUpWindow'), 'catch-up windows'),
    forEach('BackupPlan', plans, aliases(50, 'nextRunAt'), 'times of the next run'),
    forEach('BackupPlan', plans, aliases(20, 'protection { status dueBy }'), 'protection of plans'),
    forEach('BackupPlan', plans, aliases(20, 'service { tls { ca } }'), 'certificates through plans'),
    forEach('BackupPlan', plans, aliases(5, 'jobs(first: 20) { nodes { inventory } }'), 'inventories through plans'),
    forEach('Service', ids.serviceIds.slice(0, 200), aliases(1, 'tls { ca }'), 'one certificate'),
    forEach('Service', ids.serviceIds.slice(0, 200), aliases(20, 'protection { status dueBy }'), 'protection'),
    forEach('Service', ids.serviceIds.slice(0, 200), aliases(5, 'plans { nodes { nextRuns(count: 100) } }'), 'runs'),
    forEach(
      'Service',
      ids.serviceIds.slice(0, 50),
      aliases(5, 'lastSuccessfulBackup { inventory }'),
      'last inventories',
    ),
    forEach('BackupJob', ids.jobIds, aliases(2, 'inventory'), 'two inventories'),
    forEach('BackupJob', ids.jobIds, aliases(50, 'inventorySummary { tables rows }'), 'summaries'),
    forEach('BackupJob', ids.jobIds, aliases(50, 'expectedDeletionAt'), 'expected deletions'),
    forEach('BackupJob', ids.jobIds, aliases(50, 'service { tls { ca } }'), 'certificates through backups'),
    forEach('Project', ids.projectIds, aliases(99, 'protection { status services }'), 'protection of projects'),
  ];
}

const frequencies = [
  '* * * * * *',
  '0 * * * * *',
  '0 0 0 29 2 1',
  '0 0 0 29 2 *',
  '0 30 2 * * *',
  '0 0 0 L * *',
  '0 0-59/2 0-23 1-31 1-12 0-6',
  '0 59 23 31 12 7',
];

function heavyComputations({ ids }: StrangersGround): readonly HostileDocument[] {
  const preview = (name: string, variables: object, times: number, days: (number: number) => number) => ({
    name: `${times} previews of retention: ${name}`,
    query: `query ($input: RetentionPreviewInput!) {
      ${aliases(times, (number) => `retentionPreview(input: $input, days: ${days(number)}) { date kept deleted storedSize }`)}
    }`,
    variables: { input: variables },
  });
  return [
    preview('other numbers of days', { draft: halfHourlyDraft }, 25, (number) => 366 - number),
    preview(
      'an hour in a zone with many changes',
      { draft: { ...halfHourlyDraft, timeZone: 'Africa/Casablanca' } },
      25,
      () => 366,
    ),
    preview('a plan', { planId: ids.planIds[0] }, 25, () => 366),
    preview(
      'months',
      { draft: { ...halfHourlyDraft, retention: { style: 'MONTHS', period: 12 } } },
      25,
      (number) => 366 - number,
    ),
    ...frequencies.map((frequency) => ({
      name: `25 previews of ${frequency}`,
      query: `{ ${aliases(25, (number) => `schedulePreview(frequency: "${frequency}", timeZone: "${number % 2 ? 'Europe/Berlin' : 'Australia/Lord_Howe'}", count: 100) { notes runsPerDay runs { local } }`)} }`,
    })),
    {
      name: '25 statistics by the hour',
      query: `{ ${aliases(25, 'backupStats(bucket: HOUR) { buckets { from writtenSize statuses { status count } } }')} }`,
    },
    {
      name: '25 statistics by the day',
      query: `{ ${aliases(25, 'backupStats(bucket: DAY, timeZone: "Asia/Kathmandu") { medianExecutionTime buckets { from writtenSize } }')} }`,
    },
  ];
}

/** The names of a client are repeated for each item of a list, and in the path of each error. */
function longNamesAndErrors({ ids }: StrangersGround): readonly HostileDocument[] {
  const name = 'n'.repeat(900_000);
  const nodes = (fields: string) => `query ($ids: [ID!]!) { nodes(ids: $ids) { ... on BackupPlan { ${fields} } } }`;
  const plans = { ids: ids.planIds.slice(0, 180) };
  return [
    { name: 'an alias of 900 kB for 180 ids', query: nodes(`${name}: id`), variables: plans, code: 'TOO_COMPLEX' },
    { name: 'an error under an alias of 900 kB', query: nodes(`${name}: nextRuns(count: 0)`), variables: plans },
    { name: 'an error for each id', query: nodes(aliases(99, 'nextRuns(count: 0)')), variables: plans },
    {
      name: 'errors below a field that may be null',
      query: `{ backupJobs(first: 200) { nodes { ${aliases(90, 'plan { nextRuns(count: 0) }')} } } }`,
    },
    { name: 'a field of 900 kB that does not exist', query: `{ ${name} }`, code: 'TOO_COMPLEX' },
    { name: 'a field of 3 kB that does not exist', query: `{ ${name.slice(0, 3_000)} }`, code: 'BAD_INPUT' },
    { name: 'a fragment of 3 kB that does not exist', query: `{ ...${name.slice(0, 3_000)} }`, code: 'BAD_INPUT' },
    {
      name: 'a string of 900 kB',
      query: 'query ($name: String!) { schedulePreview(frequency: $name) { notes } }',
      variables: { name },
      code: 'BAD_INPUT',
    },
    { name: 'a search for 900 kB', query: `{ projects(search: "${name}") { nodes { id } } }` },
    {
      name: '25,000 ids',
      query: nodes('id'),
      variables: { ids: Array.from({ length: 25_000 }, () => ids.planIds[0]) },
    },
    {
      name: 'a variable with 300,000 levels',
      query: nodes('id'),
      variables: `{"ids":${'['.repeat(300_000)}${']'.repeat(300_000)}}`,
      code: 'BAD_INPUT',
    },
  ];
}

function introspection(): readonly HostileDocument[] {
  const fields = 'fields(includeDeprecated: true) { name description args { name type { name } } type { name } }';
  return [
    { name: 'the schema 25 times', query: `{ ${aliases(25, `__schema { types { ${fields} } }`)} }` },
    { name: 'the types 99 times', query: `{ __schema { ${aliases(99, `types { name description ${fields} }`)} } }` },
    { name: 'the fields 99 times', query: `{ __schema { types { ${aliases(99, fields)} } } }` },
    {
      name: 'fields of types of fields',
      query: `{ __schema { types { fields { type { ${aliases(50, 'fields { name description }')} } } } } }`,
    },
    { name: 'one type 25 times', query: `{ ${aliases(25, `__type(name: "Query") { ${aliases(3, fields)} }`)} }` },
  ];
}

function documentsThatAreHardToCheck(): readonly HostileDocument[] {
  const repeated = (count: number, text: string) => Array.from({ length: count }, () => text).join(' ');
  const chain = (count: number, last: string) =>
    Array.from(
      { length: count },
      (_, n) => `fragment F${n} on Viewer { ${n + 1 < count ? `...F${n + 1} ...F${n + 1}` : last} }`,
    );
  return [
    { name: 'one field 1,900 times', query: `{ ${repeated(1_900, '__typename')} }` },
    {
      name: 'one field with a selection 480 times',
      query: `{ ${repeated(480, 'me { name }')} }`,
      code: 'TOO_COMPLEX',
    },
    { name: 'two names for one field', query: `{ me { ${repeated(900, 'subject')} ${repeated(900, 'name')} } }` },
    { name: 'fragments that include the next one twice', query: `{ me { ...F0 } } ${chain(150, 'name').join(' ')}` },
    { name: 'a circle of fragments', query: `{ me { ...F0 } } ${chain(100, '...F0').join(' ')}`, code: 'BAD_INPUT' },
    { name: 'one fragment 600 times', query: `{ me { ${repeated(600, '...F')} } } fragment F on Viewer { name }` },
    { name: '400 inline fragments', query: `{ me { ${repeated(380, '... on Viewer { name }')} } }` },
    { name: '600 levels', query: `${'{ me '.repeat(600)}${'}'.repeat(600)}` },
    { name: '600 directives', query: `{ me { name ${repeated(450, '@skip(if: false)')} } }` },
    { name: '2,001 tokens', query: `{ ${repeated(1_999, '__typename')} }`, code: 'TOO_COMPLEX' },
    { name: '1 MB of spaces', query: `{${' '.repeat(1_000_000)}__typename }` },
    { name: '1 MB of comments', query: `{\n${'#\n'.repeat(450_000)} __typename }` },
    { name: '300 operations', query: Array.from({ length: 300 }, (_, n) => `query Q${n} { __typename }`).join(' ') },
    {
      name: '500 variables',
      query: `query (${Array.from({ length: 390 }, (_, n) => `$v${n}: ID`).join(' ')}) { __typename }`,
    },
  ];
}
