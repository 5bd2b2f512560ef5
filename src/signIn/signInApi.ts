import { Ctx, Field, Mutation, ObjectType, Resolver } from 'type-graphql';
import type { RequestContext } from '../server/requestContext.js';
import { Requires } from '../server/requires.js';
import { DateTime } from '../server/scalars/dateTime.js';
import { auditResolver } from './audit/auditApi.js';
import { callerOf } from './audit/auditReportsOf.js';
import type { AuditTrail } from './audit/auditTrail.js';
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
  readonly audit: Pick<AuditTrail, 'count' | 'list' | 'record'>;
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
    async createSignInLink(@Ctx() context: RequestContext): Promise<SignInLinkType> {
      const { code, expiresAt } = await tools.links.create();
      await tools.audit.record({ what: 'SIGN_IN_LINK_CREATED', ...callerOf(context), operation: 'createSignInLink' });
      return { url: linkOf(tools.publicUrl(), code.reveal()), expiresAt };
    }
  }
  return [new SignInResolver(), auditResolver(tools.audit)];
}

/** The link to open. A server that listens at every address is reached at the loopback address. */
export function linkOf(publicUrl: string, code: string): string {
  return `${publicUrl.replace(/^http:\/\/(0\.0\.0\.0|\[::\])(?=:|$)/, 'http://127.0.0.1')}/sign-in#${code}`;
}
