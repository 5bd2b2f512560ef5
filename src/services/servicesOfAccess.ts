import type { DataSource } from 'typeorm';
import { Ctx, FieldResolver, Resolver, Root } from 'type-graphql';
import { AccessTokenType } from '../projects/access/accessTokenType.js';
import { MembershipType } from '../projects/access/membershipType.js';
import { ifVisible } from '../server/nodesOf.js';
import type { RequestContext } from '../server/requestContext.js';
import { findServices } from './serviceQueries.js';
import { ServiceType } from './serviceType.js';
import { scopeOfService } from './serviceView.js';

type Tools = { readonly dataSource: DataSource };

/** The service to which a role or a token is limited. Null: it is not limited, or the service is not visible. */
class ServiceOfAccess {
  constructor(private readonly tools: Tools) {}

  private readonly services = (ids: readonly string[]) => findServices(this.tools.dataSource.manager, ids);

  async load(serviceId: string | null, context: RequestContext): Promise<ServiceType | null> {
    const service = serviceId === null ? null : await context.loaders.of(this.services).load(serviceId);
    return ifVisible(context, service, scopeOfService, (visible) => ServiceType.of(visible));
  }
}

@Resolver(() => MembershipType)
export class MembershipServiceResolver {
  private readonly access: ServiceOfAccess;

  constructor(tools: Tools) {
    this.access = new ServiceOfAccess(tools);
  }

  @FieldResolver(() => ServiceType, { nullable: true, description: 'Null: the role applies to the whole project.' })
  service(@Root() { serviceId }: MembershipType, @Ctx() context: RequestContext): Promise<ServiceType | null> {
    return this.access.load(serviceId, context);
  }
}

@Resolver(() => AccessTokenType)
export class AccessTokenServiceResolver {
  private readonly access: ServiceOfAccess;

  constructor(tools: Tools) {
    this.access = new ServiceOfAccess(tools);
  }

  @FieldResolver(() => ServiceType, { nullable: true, description: 'Null: the token acts in the whole project.' })
  service(@Root() { serviceId }: AccessTokenType, @Ctx() context: RequestContext): Promise<ServiceType | null> {
    return this.access.load(serviceId, context);
  }
}
