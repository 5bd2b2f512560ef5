import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { randomBytes, randomUUID } from 'node:crypto';
import type { DataSource } from 'typeorm';
import { postgresMissing, startPostgres, type TestPostgres } from '../../test/fixtures/servers/postgres.js';
import { describeWith } from '../../test/fixtures/requirements.js';
import { Secret } from '../secret.js';
import { masterKeys } from './masterKeys.js';
import { createVault } from './vault.js';

describeWith({ postgresql: await postgresMissing() }, 'vault', () => {
  let postgres: TestPostgres;
  let dataSource: DataSource;
  const key = () => randomBytes(32).toString('base64');
  const first = key();
  const vaultWith = (...keys: string[]) => createVault(dataSource, masterKeys(keys));
  const secret = new Secret('pässwörd "with" everything\n');

  beforeAll(async () => {
    postgres = await startPostgres();
    dataSource = await postgres.connect();
  });
  afterAll(() => postgres.stop());

  test('returns every version of a stored secret, and stores none in plain text', async () => {
    const vault = vaultWith(first);
    const one = await vault.store(dataSource.manager, 'p', secret);
    const two = await vault.store(dataSource.manager, 'p', new Secret('next'), one.credentialId);
    expect([one.credentialVersion, two]).toEqual([1, { credentialId: one.credentialId, credentialVersion: 2 }]);
    expect((await vault.reveal('p', one)).reveal()).toBe(secret.reveal());
    expect((await vault.reveal('p', two)).reveal()).toBe('next');
    const rows = await dataSource.query<{ wrapped_key: Buffer; sealed_secret: Buffer }[]>(
      'SELECT * FROM vault_credentials',
    );
    for (const row of rows) expect(row.sealed_secret.includes(Buffer.from('everything'))).toBe(false);
    expect(new Set(rows.map(({ sealed_secret }) => sealed_secret.toString('hex'))).size).toBe(rows.length);
  });

  test('a credential that was rolled back or erased does not exist', async () => {
    const vault = vaultWith(first);
    const stored = await vault.store(dataSource.manager, 'p', secret);
    await vault.erase(dataSource.manager, stored.credentialId);
    await expect(vault.reveal('p', stored)).rejects.toMatchObject({
      code: 'INTERNAL',
      message: `Credential ${stored.credentialId} version 1 is not in the vault.`,
    });
    const credentialId = randomUUID();
    await dataSource
      .transaction(async (manager) => {
        await vault.store(manager, 'p', secret, credentialId);
        throw new Error('rolled back');
      })
      .catch(() => undefined);
    await expect(vault.reveal('p', { credentialId, credentialVersion: 1 })).rejects.toThrow('is not in the vault');
  });

  test('another project neither reads a credential nor writes its next version', async () => {
    const vault = vaultWith(first);
    const stored = await vault.store(dataSource.manager, 'p', secret);
    await expect(vault.reveal('other', stored)).rejects.toMatchObject({ code: 'INTERNAL' });
    await expect(vault.store(dataSource.manager, 'other', secret, stored.credentialId)).rejects.toMatchObject({
      code: 'INTERNAL',
    });
  });

  test.each([
    ['moved to another project', `UPDATE vault_credentials SET project_id = 'other' WHERE credential_id = $1`],
    ['moved to another version', 'UPDATE vault_credentials SET version = 9 WHERE credential_id = $1'],
    [
      'with one bit of the secret flipped',
      'UPDATE vault_credentials SET sealed_secret = set_bit(sealed_secret, 230, 1 - get_bit(sealed_secret, 230)) WHERE credential_id = $1',
    ],
    [
      'with one bit of the key flipped',
      'UPDATE vault_credentials SET wrapped_key = set_bit(wrapped_key, 230, 1 - get_bit(wrapped_key, 230)) WHERE credential_id = $1',
    ],
    [
      'with a shortened tag',
      'UPDATE vault_credentials SET sealed_secret = substr(sealed_secret, 1, 20) WHERE credential_id = $1',
    ],
  ])('a row that was %s cannot be decrypted', async (_how, tamper) => {
    const vault = vaultWith(first);
    const stored = await vault.store(dataSource.manager, 'p', secret);
    await dataSource.query(tamper, [stored.credentialId]);
    const [row] = await dataSource.query<[{ project_id: string; version: number }]>(
      'SELECT project_id, version FROM vault_credentials WHERE credential_id = $1',
      [stored.credentialId],
    );
    const ref = { credentialId: stored.credentialId, credentialVersion: row.version };
    await expect(vault.reveal(row.project_id, ref)).rejects.toThrow('cannot be decrypted');
  });

  test('after a rotation the newest key encrypts and the older one decrypts; after a rewrap the older key is not needed', async () => {
    await dataSource.query('DELETE FROM vault_credentials');
    const second = key();
    const old = await vaultWith(first).store(dataSource.manager, 'p', secret);
    const rotated = vaultWith(second, first);
    const young = await rotated.store(dataSource.manager, 'p', new Secret('young'));
    expect((await rotated.reveal('p', old)).reveal()).toBe(secret.reveal());
    expect((await vaultWith(second).reveal('p', young)).reveal()).toBe('young');
    await expect(vaultWith(second).reveal('p', old)).rejects.toMatchObject({
      code: 'INTERNAL',
      help: expect.stringContaining('Add this older master key'),
    });
    await expect(rotated.rewrap()).resolves.toBe(1);
    await expect(rotated.rewrap()).resolves.toBe(0);
    expect((await vaultWith(second).reveal('p', old)).reveal()).toBe(secret.reveal());
  });
});
