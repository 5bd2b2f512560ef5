import { StowageError } from '../../../errors.js';

/** TARGET_UNFIT: the target cannot hold the backup. `objects` names the objects that cannot be created there. */
export function unfit(message: string, help: string, objects: readonly string[] = []): StowageError {
  return new StowageError('TARGET_UNFIT', message, { help, details: { objects: objects.slice(0, 20) } });
}

export function named(objects: readonly string[]): string {
  const shown = objects.slice(0, 10).map((name) => `'${name}'`);
  const more = objects.length > 10 ? ` and ${objects.length - 10} more` : '';
  return `${shown.join(', ')}${more}`;
}
