import { Field, Int, ObjectType } from 'type-graphql';
import { BigIntScalar } from '../server/scalars/bigInt.js';
import { DateTime } from '../server/scalars/dateTime.js';
import type { AuditProblem, ContainerAudit } from './containerAudit.js';

@ObjectType('ContainerAudit', {
  description: 'How a container was found to be, compared with the log of events. Each is looked at every few hours.',
})
export class ContainerAuditType {
  @Field(() => DateTime)
  readonly at!: Date;

  @Field(() => Int, { description: 'Backups that should be there.' })
  readonly backups!: number;

  @Field(() => Int, {
    description:
      'Of those, how many are not there or not whole. A backup that is missed twice, an hour apart, becomes MISSING.',
  })
  readonly missing!: number;

  @Field(() => Int, { description: 'Objects below the prefix that Stowage knows nothing of. They are never deleted.' })
  readonly unknownObjects!: number;

  @Field(() => BigIntScalar, { description: 'Bytes.' })
  readonly unknownSize!: number;

  @Field(() => [String], { description: 'The first names of them; one that ends in a slash stands for all below it.' })
  readonly unknownSample!: readonly string[];

  @Field(() => BigIntScalar, {
    description: 'Bytes that attempts without a backup, or deleted backups, still had there. They are deleted now.',
  })
  readonly removedSize!: number;

  @Field(() => [String], {
    description:
      'Prefixes that could not be looked at, or not to the end: of what lies below nothing is said. auditProblem says why.',
  })
  readonly prefixesNotSeen!: readonly string[];

  static of({
    at,
    unknownSizeBytes,
    removedSizeBytes,
    prefixesNotSeen = [],
    ...counts
  }: ContainerAudit): ContainerAuditType {
    const sizes = { unknownSize: unknownSizeBytes, removedSize: removedSizeBytes };
    return Object.assign(new ContainerAuditType(), { ...counts, ...sizes, prefixesNotSeen, at: new Date(at) });
  }
}

@ObjectType('ContainerAuditProblem')
export class ContainerAuditProblemType {
  @Field(() => String, { description: 'Of the catalogue of errors.' })
  readonly code!: string;

  @Field(() => String)
  readonly message!: string;

  @Field(() => String, { nullable: true })
  readonly help!: string | null;

  static of(problem: AuditProblem): ContainerAuditProblemType {
    return Object.assign(new ContainerAuditProblemType(), problem);
  }
}
