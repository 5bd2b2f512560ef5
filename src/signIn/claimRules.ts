import { z } from 'zod';
import { roles, type Role } from '../server/viewer.js';

/** Gives a role in a project to the people whose claim has a value. */
export type ClaimRule = {
  /** The path of the claim, for example `['realm_access', 'roles']`. */
  readonly path: readonly string[];
  /** `contains`: the claim is a list with this value, or this value itself. `equals`: the claim is this value. */
  readonly test: 'contains' | 'equals';
  readonly value: string | number | boolean;
  readonly role: Role;
  /** The name or the id of a project. */
  readonly project: string;
};

/** A role that claims give. */
export type ClaimGrant = Pick<ClaimRule, 'project' | 'role'>;

const name = z.string().min(1).max(200);
const value = z.union([z.string().min(1).max(500), z.number(), z.boolean()]);
const rule = z
  .strictObject({
    claim: z.union([name, z.array(name).min(1).max(8)]),
    contains: value.optional(),
    equals: value.optional(),
    role: z.enum(roles),
    project: name,
  })
  .refine(({ contains, equals }) => (contains === undefined) !== (equals === undefined), {
    message: 'exactly one of contains and equals is needed',
  });

/**
 * Parses a JSON list of rules such as `{"claim": "groups", "contains": "backup-admins", "role": "ADMIN", "project": "shop"}`.
 * Throws an Error with a sentence that names the first wrong rule.
 */
export function parseClaimRules(text: string): readonly ClaimRule[] {
  return parsedList(text).map((given, index) => {
    const { data, error } = rule.safeParse(given);
    if (data === undefined) {
      const [issue] = error.issues;
      const place = issue === undefined || issue.path.length === 0 ? '' : `${issue.path.join('.')}: `;
      throw new Error(`rule ${index + 1} is wrong: ${place}${issue?.message ?? 'unknown reason'}`);
    }
    const { claim, contains, equals, role, project } = data;
    return {
      path: typeof claim === 'string' ? [claim] : claim,
      test: contains === undefined ? 'equals' : 'contains',
      value: contains ?? equals ?? '',
      role,
      project,
    };
  });
}

function parsedList(text: string): readonly unknown[] {
  let list: unknown;
  try {
    list = JSON.parse(text);
  } catch {
    throw new Error('it is not JSON');
  }
  if (!Array.isArray(list)) throw new Error('it is not a JSON list');
  if (list.length > 1_000) throw new Error('it has more than 1000 rules');
  return list;
}

/** The roles that the claims of a person give, without repetitions. */
export function grantsOfClaims(
  rules: readonly ClaimRule[],
  claims: Readonly<Record<string, unknown>>,
): readonly ClaimGrant[] {
  const grants = new Map<string, ClaimGrant>();
  for (const { path, test, value: wanted, role, project } of rules) {
    const found = valueAt(claims, path);
    const holds = found === wanted || (test === 'contains' && Array.isArray(found) && found.includes(wanted));
    if (holds) grants.set(`${role} ${project}`, { role, project });
  }
  return [...grants.values()];
}

function valueAt(claims: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>(
    (at, key) =>
      typeof at === 'object' && at !== null && Object.hasOwn(at, key)
        ? (at as Record<string, unknown>)[key]
        : undefined,
    claims,
  );
}
