/** The rules of the house (see docs/architecture.md). */
const order = [
  'projects',
  'services',
  'endpoints',
  'plans',
  'jobs',
  'backups',
  'schedules',
  'protection',
  'restores',
  'workerRegistry',
  'history',
];
const slices = `^src/(${order.join('|')})/`;
/** Each slice's rules of what may happen, and the values that they are about. */
const pure =
  '^src/(projects/project|services/service|endpoints/fileEndpoint|plans/backupPlan|plans/retention/(retention|retentionCalendar|retentionForecast|retentionPolicy|zoneOffset)|jobs/(attempt|attemptedJob|errorsOfOld)|backups/(backupJob|storedBackup)|protection/(lateness|protection)|restores/restoreJob)\\.ts$';
const tools = '^src/(engines|archive|storage|scheduler|postgres)/';
module.exports = {
  forbidden: [
    {
      name: 'no-circles',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'pure-slices',
      comment: 'A decider knows its own concept, the shape of events and the catalogue of errors; types do nothing.',
      severity: 'error',
      from: { path: pure },
      to: {
        pathNot: `^src/(eventSourcing/(event|decider|changedFields)|errors|json|check)\\.ts$|^(node:|util$|node_modules/temporal-polyfill/)|${pure}`,
        dependencyTypesNot: ['type-only'],
      },
    },
    ...order.slice(0, -1).map((slice, place) => ({
      name: `${slice}-look-not-forward`,
      comment: 'What an earlier slice needs of a later one is declared in the later one, or handed in by composition/.',
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
