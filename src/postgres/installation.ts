import type { DataSource } from 'typeorm';

/**
 * The id of this installation: a UUID that the first migration generated. The marker of a prefix in a container names
 * it.
 */
export async function installationId(dataSource: DataSource): Promise<string> {
  const [{ id }] = await dataSource.query<[{ id: string }]>('SELECT id FROM installation');
  return id;
}
