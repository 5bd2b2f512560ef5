import type { DataSource } from 'typeorm';

/** Which installation this is: a UUID that the first migration drew. It says whose prefix a container's folder is. */
export async function installationId(dataSource: DataSource): Promise<string> {
  const [{ id }] = await dataSource.query<[{ id: string }]>('SELECT id FROM installation');
  return id;
}
