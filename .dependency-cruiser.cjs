/** The rules of the house (see docs/architecture.md). */
const order = [
  'projects',
  'entities',
  'services',
  'endpoints',
  'plans',
  'jobs',
  'backups',
  'ticks',
  'protection',
  'entityChanges',
  'restores',
  'workerRegistry',
  'history',
];
const slices = `^src/(${order.join('|')})/`;
/** The pure files of the slices: deciders and their value types. */
const pure =
  '^src/(projects/(project|access/(accessToken|members))|services/(service|dashboard/dashboardAccess)|endpoints/fileEndpoint|plans/backupPlan|plans/retention/(retention|retentionCalendar|retentionForecast|retentionPolicy|zoneOffset)|jobs/(attempt|attemptedJob|errorsOfOld)|backups/(backupJob|storedBackup)|protection/(lateness|protection)|restores/restoreJob)\\.ts$';
const tools = '^src/(engines|archive|storage|scheduler|postgres)/';
module.exports = {
  forbidden: [
    {
      name: 'no-circles',
      comment: 'Circles of types are forbidden too, because such files can only be read together.',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'pure-slices',
      comment:
        'A decider imports only its own concept, the shape of events, the catalogue of errors and steps. Types are allowed.',
      severity: 'error',
      from: { path: pure },
      to: {
        pathNot: `^src/(eventSourcing/(event|decider|changedFields)|errors|json|check|steps)\\.ts$|^(node:|util$|node_modules/temporal-polyfill/)|${pure}`,
        dependencyTypesNot: ['type-only'],
      },
    },
    ...order.slice(0, -1).map((slice, place) => ({
      name: `${slice}-look-not-forward`,
      comment:
        'A field that needs a later slice is declared in the later slice, or composition/ passes the function in.',
      severity: 'error',
      from: { path: `^src/${slice}/` },
      to: { path: `^src/(${order.slice(place + 1).join('|')})/` },
    })),
    { name: 'tools-know-no-slices', severity: 'error', from: { path: tools }, to: { path: slices } },
    {
      name: 'adapters-are-named-by-compositions-only',
      severity: 'error',
      from: { path: slices },
      to: {
        path: '^src/(engines/.+/|storage/(.+/|createStorageKinds)|scheduler/(agenda|cron/internal)/|postgres/(?!contracts/))',
      },
    },
    {
      name: 'one-reader-of-the-environment',
      severity: 'error',
      from: { pathNot: '^(src/(main|config|composition/.+)|ormconfig)\\.ts$' },
      to: { path: '^src/config\\.ts$', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'no-tests-in-the-program',
      severity: 'error',
      from: { pathNot: '\\.test\\.ts$' },
      to: { path: '\\.test\\.ts$|^test/' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '\\.test\\.ts$' },
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: { extensions: ['.ts', '.js'] },
  },
};
