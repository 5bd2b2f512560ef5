import type { Fault, ProblemKind, Trial } from './trial.js';

export type Tried = { readonly fault: Fault; readonly trial: Trial; readonly seconds: number };

const columns: readonly { readonly title: string; readonly kind: ProblemKind }[] = [
  { title: 'false successes', kind: 'FALSE_SUCCESS' },
  { title: 'stuck', kind: 'STUCK' },
  { title: 'orphans', kind: 'ORPHAN' },
  { title: 'processes', kind: 'PROCESS' },
  { title: 'misreported', kind: 'MISREPORTED' },
];

/** A table in Markdown: one row for each group, and one for all. Faults that did not happen are not counted. */
export function faultTable(results: readonly Tried[]): string {
  const groups = [...new Set(results.map(({ fault }) => fault.group))];
  const lines = [
    ['group', 'faults tried', 'succeeded', 'failed', ...columns.map(({ title }) => title), 'not reached'],
    ['---', '---:', '---:', '---:', ...columns.map(() => '---:'), '---:'],
    ...groups.map((group) => [group, ...figures(results.filter(({ fault }) => fault.group === group))]),
    ['**all**', ...figures(results)],
  ];
  return lines.map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

/** Whether every fault happened, and none had a wrong outcome. */
export function isClean(results: readonly Tried[]): boolean {
  return results.every(({ trial }) => trial.problems.length === 0);
}

function figures(results: readonly Tried[]): readonly string[] {
  const having = (kind: ProblemKind) =>
    results.filter(({ trial }) => trial.problems.some((problem) => problem.kind === kind)).length;
  const notReached = having('NOT_REACHED');
  const succeeded = results.filter(({ trial }) => trial.end === 'SUCCEEDED').length;
  return [
    results.length - notReached,
    succeeded,
    results.length - succeeded,
    ...columns.map(({ kind }) => having(kind)),
    notReached,
  ].map(String);
}
