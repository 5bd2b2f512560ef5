import { AttemptCount, type StrangersGround, type StrangersGroup } from '../stranger.js';
import { aliases, halfHourlyDraft, type HostileDocument } from './hostileDocument.js';
import { postDocument } from './postDocument.js';
import { siblings } from './siblings.js';

const certificates = ({ ids }: StrangersGround, atOnce: number): HostileDocument => ({
  name: 'certificates of 64 kB, 70 times for each of 100 services',
  query: `query ($ids: [ID!]!) { nodes(ids: $ids) { ... on Service { ${aliases(70, 'tls { ca }')} } } }`,
  variables: { ids: ids.serviceIds.slice(0, 100) },
  atOnce,
  code: 'TOO_COMPLEX',
});

/** Each of these documents once delayed all clients for seconds, or needed gigabytes. */
const examples: Readonly<Record<string, (ground: StrangersGround) => HostileDocument>> = {
  'next runs': ({ ids }) => ({
    name: 'the next runs of one plan, 99 times for each of 200 ids',
    query: `query ($ids: [ID!]!) { nodes(ids: $ids) { ... on BackupPlan { ${aliases(99, 'nextRuns(count: 100)')} } } }`,
    variables: { ids: Array.from({ length: 200 }, () => ids.planIds[0]) },
    code: 'TOO_COMPLEX',
  }),
  certificates: (ground) => certificates(ground, 1),
  'certificates, twelve at once': (ground) => certificates(ground, 12),
  inventories: ({ ids }) => ({
    name: 'inventories, 20 times for each of 100 backups',
    query: `query ($ids: [ID!]!) { nodes(ids: $ids) { ... on BackupJob { ${aliases(20, 'inventory')} } } }`,
    variables: { ids: ids.jobIds },
    code: 'TOO_COMPLEX',
  }),
  'retention previews': () => ({
    name: '25 previews of the retention of a year',
    query: `query ($input: RetentionPreviewInput!) { ${aliases(25, 'retentionPreview(input: $input, days: 366) { kept }')} }`,
    variables: { input: { draft: halfHourlyDraft } },
  }),
};

/** One group for each example, so that each has its own row, and one group for all similar documents. */
export const hostileDocuments: readonly StrangersGroup[] = [
  ...Object.entries(examples).map(([name, document]): StrangersGroup => ({
    name: `document: ${name}`,
    run: (ground) => attempt(ground, [document(ground)]),
  })),
  {
    name: 'a hundred hostile documents',
    run: (ground) => {
      const documents = siblings(ground);
      return attempt(ground, ground.all ? documents : documents.filter((_, index) => index % 8 === ground.seed % 8));
    },
  },
];

async function attempt(ground: StrangersGround, documents: readonly HostileDocument[]): Promise<AttemptCount> {
  const count = new AttemptCount();
  for (const { name, query, variables, atOnce = 1, code } of documents) {
    const answers = await Promise.all(Array.from({ length: atOnce }, () => postDocument(ground, query, variables)));
    for (const { status, codes, bytes, ms } of answers) {
      count.attempts += 1;
      // An answer that grew too large was refused while it was read, after some of the work.
      if (status === 400) count.refusedAfter(ms);
      for (const refusal of new Set(codes)) count.refused(refusal);
      if (status >= 500 || codes.includes('INTERNAL')) count.problems.push(`${name}: was answered with ${status}.`);
      if (code !== undefined && !codes.includes(code))
        count.problems.push(`${name}: was answered with ${bytes} bytes, not with ${code}.`);
    }
  }
  return count;
}
