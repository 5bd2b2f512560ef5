/** The rules of the house (see docs/architecture.md). */
const slices = '^src/(projects|services|endpoints|plans|jobs|restores|workers|history)/';
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
      comment: 'A decider knows its own concept, the shape of events and the catalogue of errors.',
      severity: 'error',
      from: {
        path: '^src/(projects/project|services/service|endpoints/fileEndpoint|plans/backupPlan|plans/retention|jobs/backupJob|jobs/lateness|jobs/protection|restores/restoreJob)\\.ts$',
      },
      to: {
        pathNot:
          '^src/(eventSourcing/(event|decider|changedFields)|errors|json|check)\\.ts$|^(node:|util$|node_modules/temporal-polyfill/)|^src/(projects|services|endpoints|plans|jobs|restores)/[a-zA-Z]+\\.ts$',
      },
    },
    { name: 'tools-know-no-slices', severity: 'error', from: { path: tools }, to: { path: slices } },
    {
      name: 'adapters-are-named-by-compositions-only',
      severity: 'error',
      from: { path: slices },
      to: {
        path: '^src/(engines/.+/|storage/(swift|filesystem)/|scheduler/(agenda|cron/internal)/|postgres/(?!contracts/))',
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
