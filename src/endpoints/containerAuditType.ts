import { Field, Int, ObjectType } from 'type-graphql';
import { BigIntScalar } from '../server/scalars/bigInt.js';
import { DateTime } from '../server/scalars/dateTime.js';
import type { AuditProblem, ContainerAudit } from './containerAudit.js';

@ObjectType('ContainerAudit', {
  description: 'The result of comparing a container with the log of events. Each container is audited every few hours.',
})
export class ContainerAuditType {
  @Field(() => DateTime)
  readonly at!: Date;

  @Field(() => Int, { description: 'Backups that should be there.' })
  readonly backups!: number;

  @Field(() => Int, {
    description:
      'How many of these backups are missing or incomplete. A backup that is reported missing twice, an hour apart, becomes MISSING.',
  })
  readonly missing!: number;

  @Field(() => Int, {
    description: 'Objects below the prefix that the log of events does not know. They are never deleted.',
  })
  readonly unknownObjects!: number;

  @Field(() => BigIntScalar, { description: 'Bytes.' })
  readonly unknownSize!: number;

  @Field(() => [String], {
    description: 'The first of their names. A name that ends in a slash stands for everything below it.',
  })
  readonly unknownSample!: readonly string[];

  @Field(() => BigIntScalar, {
    description: 'Bytes that failed attempts and deleted backups still had there. The audit has deleted them.',
  })
  readonly removedSize!: number;

  @Field(() => [String], {
    description:
      'Prefixes that could not be checked completely. The counts do not include objects below them. auditProblem shows the reason.',
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
  @Field(() => String, { description: 'A code of the catalogue of errors.' })
  readonly code!: string;

  @Field(() => String)
  readonly message!: string;

  @Field(() => String, { nullable: true })
  readonly help!: string | null;

  static of(problem: AuditProblem): ContainerAuditProblemType {
    return Object.assign(new ContainerAuditProblemType(), problem);
  }
}
