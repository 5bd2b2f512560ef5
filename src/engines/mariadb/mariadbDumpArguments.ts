import type { PreflightReport } from '../preflightReport.js';
import { dumpsHistory } from './history.js';

/** docs/decisions/0003-child-processes-for-dumps.md documents the purpose of each option. */
export function mariadbDumpArguments(report: PreflightReport): readonly string[] {
  const characterSet = report.parts[0]?.characterSet ?? 'utf8mb4';
  const { databases } = report.inventory;
  const history = dumpsHistory(report.inventory) ? ['--dump-history'] : [];
  return [
    `--default-character-set=${characterSet}`,
    '--single-transaction',
    '--quick',
    '--routines',
    '--events',
    '--triggers',
    // A binary connection converts nothing. So binary values are not written as hex, which would double their size.
    characterSet === 'binary' ? '--skip-hex-blob' : '--hex-blob',
    '--skip-add-locks',
    ...history,
    '--databases',
    '--',
    ...databases.map(({ name }) => name),
  ];
}
