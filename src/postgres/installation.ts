import type { DataSource } from 'typeorm';

/**
 * The id of this installation: a UUID that the first migration generated. The marker of a prefix in a container names
 * it.
 */
export async function installationId(dataSource: DataSource): Promise<string> {
  const [{ id }] = await dataSource.query<[{ id: string }]>('SELECT id FROM installation');
  return id;
}

/**
 * Whether `default` of STOWAGE_ALLOWED_TARGETS contains private networks: true for an installation that is older than this
 * rule, until its operator decides.
 */
export async function defaultHasPrivate(dataSource: Pick<DataSource, 'query'>): Promise<boolean> {
  const [row] = await dataSource.query<[{ default_has_private: boolean }]>(
    'SELECT default_has_private FROM installation',
  );
  return row.default_has_private;
}

/**
 * From now on, `default` contains no private networks for every process that starts. `owner` is connected as the role
 * that owns the tables.
 */
export async function takePrivateOutOfDefault(owner: Pick<DataSource, 'query'>): Promise<void> {
  await owner.query('UPDATE installation SET default_has_private = false');
}
