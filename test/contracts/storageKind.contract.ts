import { randomUUID } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import { isDeepStrictEqual } from 'node:util';
import { describe, expect, test } from '@jest/globals';
import { InputProblems } from '../../src/server/inputValidation.js';
import type { EndpointSettings, StorageKind } from '../../src/storage/storageKind.js';

/** The project of the endpoints under test. */
export const projectId = 'b3c8a1f2-5d64-4e0f-9a37-1c2d3e4f5a6b';

export type KindUnderTest = {
  readonly kind: StorageKind;
  /** A valid input with every field that a client may send. */
  readonly input: object;
  /** The secret inside `input`; null for a kind without one. */
  readonly secretText: string | null;
  readonly location: string;
  /** The program that `downloadCommand` calls. */
  readonly program: string;
  /** Patches that move the place of the backups, each with the part that it changes. */
  readonly moves: readonly (readonly [string, object])[];
  /** Patches that keep the place of the backups. */
  readonly stays: readonly (readonly [string, object])[];
  /** Patches that would send the stored secret to another server. */
  readonly needSecret: readonly (readonly [string, object])[];
  /** Changes of the input that write the same place in another way. */
  readonly sameSpelledOut: readonly (readonly [string, object])[];
  /** Changes of the input that lead to another place. */
  readonly otherSpelledOut: readonly (readonly [string, object])[];
  /** Inputs with one problem each, with the field that has the problem. */
  readonly wrong: readonly (readonly [string, object])[];
};

/** The requirements of every kind of file endpoint; see src/storage/storageKind.ts. */
export function storageKindContract(name: string, tested: KindUnderTest): void {
  const { kind, input, secretText } = tested;
  const { settings, secret } = kind.fromInput(input, projectId);
  const patched = (patch: object) => kind.afterPatch(settings, patch, projectId);
  const spelledOut = (change: object, prefix = '') =>
    kind.spelledOut(kind.fromInput({ ...input, ...change }, projectId).settings, prefix);
  const place = (of: EndpointSettings) => kind.placeOf(of);

  describe(`the contract of storage kinds over ${name}`, () => {
    test('keeps settings for the event without the secret', () => {
      expect(settings.kind).toBe(kind.name);
      expect(JSON.parse(JSON.stringify(settings))).toEqual(settings);
      expect(secret?.reveal() ?? null).toBe(secretText);
      if (secretText !== null) expect(JSON.stringify(settings)).not.toContain(secretText);
    });

    test('shows a client settings of its own type, and no secret', () => {
      const shown = kind.shownSettings(settings);
      expect(shown).toBeInstanceOf(kind.types.settings);
      if (secretText !== null) expect(JSON.stringify(shown)).not.toContain(secretText);
      expect(kind.locationOf(settings)).toBe(tested.location);
    });

    test('a valid input has no problems', async () => {
      expect(await problemsOf(kind, input)).toEqual([]);
    });

    for (const [field, change] of tested.wrong) {
      test(`finds only the problem of a wrong ${field}: ${JSON.stringify(change)}`, async () => {
        const problems = await problemsOf(kind, { ...input, ...change });
        expect(problems.map(({ path }) => path)).toEqual([`input.settings.${kind.field}.${field}`]);
      });
    }

    for (const [what, patch] of tested.stays) {
      test(`keeps the place of the backups if ${what} changes`, () => {
        const after = patched(patch);
        expect(isDeepStrictEqual(after.settings, settings)).toBe(false);
        expect(place(after.settings)).toEqual(place(settings));
      });
    }

    for (const [what, patch] of tested.moves) {
      test(`moves the place of the backups if ${what} changes`, () => {
        expect(place(patched(patch).settings)).not.toEqual(place(settings));
      });
    }

    for (const [what, change] of tested.sameSpelledOut) {
      test(`spells out the same place, also in PostgreSQL, if the input differs in ${what}`, () => {
        expect(spelledOut(change)).toEqual(spelledOut({}));
        const other = kind.fromInput({ ...input, ...change }, projectId).settings;
        expect(kind.writtenAlike(other)).toEqual(kind.writtenAlike(settings));
        expect(settings).toMatchObject(kind.writtenAlike(settings));
      });
    }

    for (const [what, change] of tested.otherSpelledOut) {
      test(`spells out another place if the input differs in ${what}`, () => {
        expect(spelledOut(change)).not.toEqual(spelledOut({}));
      });
    }

    test('spells out a prefix as parts inside of the place', () => {
      expect(spelledOut({}, 'a/b/')).toEqual([...spelledOut({}), 'a', 'b']);
      expect(spelledOut({}, 'a/b/')).not.toEqual(spelledOut({}, 'ab/'));
    });

    test('gives each project a place of its own, unless credentials keep projects apart', () => {
      const other = kind.fromInput(input, randomUUID()).settings;
      if (kind.secretField !== undefined) {
        expect(other).toEqual(settings);
        return;
      }
      expect(kind.fromOutermost?.(settings, '')).toBeDefined();
      const [own, others] = [spelledOut({}), kind.spelledOut(other, '')];
      const inner = own.length < others.length ? own : others;
      expect(inner.every((part, index) => part === own[index] && part === others[index])).toBe(false);
    });

    test('keeps the stored place if a patch without a secret states it', () => {
      const { credentials: _credentials, ...shown } = { credentials: null, ...kind.shownSettings(settings) };
      expect(kind.afterPatch(settings, shown, projectId).settings).toEqual(settings);
    });

    for (const [what, patch] of tested.needSecret) {
      test(`requires the secret again if ${what} changes`, () => {
        const after = patched(patch);
        expect(after.secret).toBeUndefined();
        expect(kind.secretAddress(after.settings)).not.toBe(kind.secretAddress(settings));
        expect(kind.secretField).toBeDefined();
      });
    }

    test('does not open without its secret, if it has one', () => {
      if (secretText === null) expect(secret).toBeNull();
      else expect(() => kind.target(settings, null)).toThrow('has no secret');
    });

    test.each(['orders-1/x.sql.zst', "it's $(touch /tmp/x) `id`", 'a b;c', '*?#'])(
      'quotes the object name %j in the download command so that the shell reads it unchanged',
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
  await kind.addProblems(problems, `input.settings.${kind.field}`, input, { projectId });
  return problems.fields;
}
