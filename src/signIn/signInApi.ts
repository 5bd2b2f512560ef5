import { Arg, Ctx, Field, ID, Int, Mutation, ObjectType, Query, Resolver } from 'type-graphql';
import { InputProblems, uuid, type Rule } from '../server/inputValidation.js';
import type { RequestContext } from '../server/requestContext.js';
import { Requires } from '../server/requires.js';
import { DateTime } from '../server/scalars/dateTime.js';
import type { AuditTrail } from './audit/auditTrail.js';
import { AuditEntryType } from './audit/auditType.js';
import type { OneTimeLinks } from './oneTimeLinks.js';

@ObjectType('SignInLink')
export class SignInLinkType {
  @Field(() => String, { description: 'It ends in `/sign-in#` and a code, which browsers do not send to servers.' })
  readonly url!: string;

  @Field(() => DateTime)
  readonly expiresAt!: Date;
}

export function signInResolvers(tools: {
  readonly links: OneTimeLinks;
  readonly audit: Pick<AuditTrail, 'list' | 'record'>;
  /** The beginning of the URL, without a slash at the end. */
  readonly publicUrl: () => string;
}): readonly object[] {
  @Resolver()
  class SignInResolver {
    @Mutation(() => SignInLinkType, {
      description:
        'A link that opens a session of the administrator of the installation in a browser. It is valid once, for ten minutes.',
    })
    @Requires('INSTALLATION')
    async createSignInLink(@Ctx() { viewer, clientAddress }: RequestContext): Promise<SignInLinkType> {
      const { code, expiresAt } = await tools.links.create();
      await tools.audit.record({
        what: 'SIGN_IN_LINK_CREATED',
        actor: viewer.subject,
        name: viewer.name,
        clientAddress: clientAddress ?? null,
      });
      return { url: linkOf(tools.publicUrl(), code.reveal()), expiresAt };
    }

    @Query(() => [AuditEntryType], {
      description: 'Sign-ins, their ends, and refused attempts. The newest first, at most 1000 at once.',
    })
    @Requires('INSTALLATION')
    async auditEntries(
      @Arg('first', () => Int, { defaultValue: 100 }) first: number,
      @Arg('before', () => ID, { nullable: true, description: 'Only entries that are older than this one.' })
      before: string | null | undefined,
    ): Promise<readonly AuditEntryType[]> {
      new InputProblems().check('first', first, fromOneTo(1000)).check('before', before, uuid).throwIfAny();
      const entries = await tools.audit.list(first, before ?? null);
      return entries.map((entry) => Object.assign(new AuditEntryType(), entry));
    }
  }
  return [new SignInResolver()];
}

/** The link to open. A server that listens at every address is reached at the loopback address. */
export function linkOf(publicUrl: string, code: string): string {
  return `${publicUrl.replace(/^http:\/\/(0\.0\.0\.0|\[::\])(?=:|$)/, 'http://127.0.0.1')}/sign-in#${code}`;
}

function fromOneTo(most: number): Rule<number> {
  return (value) =>
    value >= 1 && value <= most
      ? undefined
      : { problem: `is not from 1 to ${most}`, hint: 'Read several pages, each with `before`.' };
}
