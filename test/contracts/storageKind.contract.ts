import { execFileSync } from 'node:child_process';
import { isDeepStrictEqual } from 'node:util';
import { describe, expect, test } from '@jest/globals';
import { InputProblems } from '../../src/server/inputValidation.js';
import type { EndpointSettings, StorageKind } from '../../src/storage/storageKind.js';

export type KindUnderTest = {
  readonly kind: StorageKind;
  /** Valid, with every field that a client may send. */
  readonly input: object;
  /** The secret inside `input`; null for a kind without one. */
  readonly secretText: string | null;
  readonly location: string;
  /** The program that `downloadCommand` calls. */
  readonly program: string;
  /** Patches after which the backups of the endpoint would lie elsewhere, each with what it changes. */
  readonly moves: readonly (readonly [string, object])[];
  /** Patches that lead to the same place. */
  readonly stays: readonly (readonly [string, object])[];
  /** Patches that would send the stored secret elsewhere. */
  readonly needSecret: readonly (readonly [string, object])[];
  /** Parts of an input with one problem each, with the field that has it. */
  readonly wrong: readonly (readonly [string, object])[];
};

/** What every kind of file endpoint must do; see src/storage/storageKind.ts. */
export function storageKindContract(name: string, tested: KindUnderTest): void {
  const { kind, input, secretText } = tested;
  const { settings, secret } = kind.fromInput(input);
  const patched = (patch: object) => kind.afterPatch(settings, patch);
  const place = (of: EndpointSettings) => kind.placeOf(of);

  describe(`the contract of storage kinds over ${name}`, () => {
    test('settings are what an event keeps, without the secret', () => {
      expect(settings.kind).toBe(kind.name);
      expect(JSON.parse(JSON.stringify(settings))).toEqual(settings);
      expect(secret?.reveal() ?? null).toBe(secretText);
      if (secretText !== null) expect(JSON.stringify(settings)).not.toContain(secretText);
    });

    test('a client sees settings of the type of the kind, and no secret', () => {
      const shown = kind.shownSettings(settings);
      expect(shown).toBeInstanceOf(kind.types.settings);
      if (secretText !== null) expect(JSON.stringify(shown)).not.toContain(secretText);
      expect(kind.locationOf(settings)).toBe(tested.location);
    });

    test('a valid input has no problems', async () => {
      expect(await problemsOf(kind, input)).toEqual([]);
    });

    for (const [field, change] of tested.wrong) {
      test(`a wrong ${field} is the one problem: ${JSON.stringify(change)}`, async () => {
        const problems = await problemsOf(kind, { ...input, ...change });
        expect(problems.map(({ path }) => path)).toEqual([`input.settings.${kind.field}.${field}`]);
      });
    }

    for (const [what, patch] of tested.stays) {
      test(`with another ${what} the backups lie in the same place`, () => {
        const after = patched(patch);
        expect(isDeepStrictEqual(after.settings, settings)).toBe(false);
        expect(place(after.settings)).toEqual(place(settings));
      });
    }

    for (const [what, patch] of tested.moves) {
      test(`with another ${what} the backups would lie elsewhere`, () => {
        expect(place(patched(patch).settings)).not.toEqual(place(settings));
      });
    }

    for (const [what, patch] of tested.needSecret) {
      test(`another ${what} needs the secret again`, () => {
        const after = patched(patch);
        expect(after.secret).toBeUndefined();
        expect(kind.secretAddress(after.settings)).not.toBe(kind.secretAddress(settings));
        expect(kind.secretField).toBeDefined();
      });
    }

    test('a kind with a secret does not open without it', () => {
      if (secretText === null) expect(secret).toBeNull();
      else expect(() => kind.target(settings, null)).toThrow('has no secret');
    });

    test.each(['orders-1/x.sql.zst', "it's $(touch /tmp/x) `id`", 'a b;c', '*?#'])(
      'the shell reads the object name %j of the download command as it is',
      (objectName) => {
        const command = kind.downloadCommand(settings, objectName);
        const script = `${tested.program}() { for word in "$@"; do printf '%s\\0' "$word"; done; }; ${command}`;
        const words = execFileSync('/bin/sh', ['-c', script], { encoding: 'utf8' }).split('\0').slice(0, -1);
        expect(words.at(-1)?.endsWith(objectName)).toBe(true);
      },
    );
  });
}

async function problemsOf(kind: StorageKind, input: object) {
  const problems = new InputProblems();
  await kind.addProblems(problems, `input.settings.${kind.field}`, input);
  return problems.fields;
}
