import { Ctx, FieldResolver, Resolver, Root } from 'type-graphql';
import type { DataSource } from 'typeorm';
import { findProjects } from '../projects/projectQueries.js';
import { ProjectType } from '../projects/projectType.js';
import { allowedActions, EntityActionEnum, type EntityAction } from '../server/entityActions.js';
import { loadKnown } from '../server/loadKnown.js';
import { ifVisible } from '../server/nodesOf.js';
import type { RequestContext } from '../server/requestContext.js';
import { findServices } from '../services/serviceQueries.js';
import { ServiceType } from '../services/serviceType.js';
import { scopeOfService } from '../services/serviceView.js';
import type { StorageKinds } from '../storage/storageKinds.js';
import { EndpointRights } from './endpointRights.js';
import { findAudits } from './containerAudit.js';
import { ContainerAuditProblemType, ContainerAuditType } from './containerAuditType.js';
import { FileEndpointSettingsUnion } from './declareKinds.js';
import { FileEndpointType } from './fileEndpointType.js';
import type { FileEndpointRow } from './fileEndpointView.js';

export type FileEndpointFieldTools = {
  readonly rights: EndpointRights;
  readonly dataSource: DataSource;
  readonly storages: StorageKinds;
  /** Records that the caller has read the settings. Returns at once. */
  readonly onSettingsRead?: (context: RequestContext, row: FileEndpointRow) => void;
  /** Returns the ids of endpoints that are in use, and so cannot be removed now. */
  readonly entitiesInUse: (ids: readonly string[]) => Promise<ReadonlySet<string>>;
};

/** An audit covers the whole container, and so the backups of services that a grant for one service does not cover. */
function seesWhole({ viewer }: RequestContext, { projectId }: { readonly projectId: string }): boolean {
  return viewer.roleIn(projectId) !== undefined;
}

@Resolver(() => FileEndpointType)
export class FileEndpointFieldsResolver {
  constructor(private readonly dependencies: FileEndpointFieldTools) {}

  private readonly projects = (ids: readonly string[]) => findProjects(this.dependencies.dataSource.manager, ids);

  private readonly inUse = async (ids: readonly string[]) => {
    const used = await this.dependencies.entitiesInUse(ids);
    return ids.map((id) => used.has(id));
  };

  private readonly audits = (ids: readonly string[]) => findAudits(this.dependencies.dataSource.manager, ids);

  @FieldResolver(() => ContainerAuditType, {
    nullable: true,
    description:
      'The last audit of the container that completed for one or more of its prefixes. It covers the backups of all services there, so it is null without a role in the project.',
  })
  async lastAudit(
    @Root() { row }: FileEndpointType,
    @Ctx() context: RequestContext,
  ): Promise<ContainerAuditType | null> {
    if (!seesWhole(context, row)) return null;
    const result = (await context.loaders.of(this.audits).load(row.id))?.result ?? null;
    return result === null ? null : ContainerAuditType.of(result);
  }

  @FieldResolver(() => ContainerAuditProblemType, {
    nullable: true,
    description:
      'Why the newest audit failed at a prefix, or could not delete something. Null without a role in the project.',
  })
  async auditProblem(
    @Root() { row }: FileEndpointType,
    @Ctx() context: RequestContext,
  ): Promise<ContainerAuditProblemType | null> {
    if (!seesWhole(context, row)) return null;
    const problem = (await context.loaders.of(this.audits).load(row.id))?.problem ?? null;
    return problem === null ? null : ContainerAuditProblemType.of(problem);
  }

  @FieldResolver(() => ProjectType)
  async project(@Root() { row }: FileEndpointType, @Ctx() context: RequestContext): Promise<ProjectType> {
    return ProjectType.of(await loadKnown(context, this.projects, row.projectId, 'project'));
  }

  private readonly services = (ids: readonly string[]) => findServices(this.dependencies.dataSource.manager, ids);

  @FieldResolver(() => ServiceType, {
    nullable: true,
    description:
      'The service that it was created from. Null: it was created for the whole project, or the service is not visible to you.',
  })
  async service(@Root() { row }: FileEndpointType, @Ctx() context: RequestContext): Promise<ServiceType | null> {
    const service = row.serviceId === null ? null : await context.loaders.of(this.services).load(row.serviceId);
    return ifVisible(context, service, scopeOfService, (visible) => ServiceType.of(visible));
  }

  @FieldResolver(() => String, { description: 'A name that a person recognises: container at region, or folder.' })
  location(@Root() { row: { settings } }: FileEndpointType): string {
    return this.dependencies.storages.of(settings).locationOf(settings);
  }

  /** GraphQL finds the member of the union by the class of the object. */
  @FieldResolver(() => FileEndpointSettingsUnion)
  settings(@Root() { row }: FileEndpointType, @Ctx() context: RequestContext): object {
    const { settings } = row;
    this.dependencies.onSettingsRead?.(context, row);
    return this.dependencies.storages.of(settings).shownSettings(settings);
  }

  @FieldResolver(() => [EntityActionEnum], { description: 'The actions that role and state allow the viewer now.' })
  async viewerActions(@Root() { row }: FileEndpointType, @Ctx() context: RequestContext): Promise<EntityAction[]> {
    if (row.removedAt !== null) return [];
    const inUse = await context.loaders.of(this.inUse).load(row.id);
    const role = await this.dependencies.rights.roleOf(row, context);
    return allowedActions(role, inUse ? ['UPDATE', 'CHECK'] : ['UPDATE', 'REMOVE', 'CHECK']);
  }
}
