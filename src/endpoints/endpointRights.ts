import { randomUUID } from 'node:crypto';
import type { EntityManager } from 'typeorm';
import { isUuid } from '../server/inputValidation.js';
import { visibleRowsById, type Lookup } from '../server/lookup.js';
import type { RequestContext } from '../server/requestContext.js';
import type { Condition } from '../server/tableReader.js';
import { visibleRows } from '../server/visibleRows.js';
import type { Role } from '../server/viewer.js';
import { FileEndpointTable, type FileEndpointRow } from './fileEndpointView.js';

/** Returns the endpoints that plans of these services use, or that their backups are at. A later slice provides this. */
export type EndpointsUsedBy = (serviceIds: readonly string[]) => Promise<readonly string[]>;

/**
 * The rights for file endpoints. A grant for a service gives its role for the endpoints that were created from the service.
 * An endpoint that the service only uses may belong to other services too, so the grant gives VIEWER for it.
 */
export class EndpointRights {
  constructor(private readonly endpointsUsedBy: EndpointsUsedBy) {}

  readonly lookup: Lookup<FileEndpointRow> = {
    noun: 'file endpoint',
    table: FileEndpointTable,
    visible: (context) => this.visible(context, null),
    roleOf: (row, context) => this.roleOf(row, context),
  };

  /** The batch of a loader. All calls of a request have the same services. */
  private readonly used = async (keys: readonly string[]) => {
    const lists = keys.map((key) => this.endpointsUsedBy(key.split(' ')));
    return (await Promise.all(lists)).map((ids) => new Set(ids));
  };

  /** Undefined: the viewer may not see the endpoint. */
  async roleOf(
    { id, projectId, serviceId }: Pick<FileEndpointRow, 'id' | 'projectId' | 'serviceId'>,
    context: RequestContext,
  ): Promise<Role | undefined> {
    const role = context.viewer.roleFor(projectId, serviceId);
    if (role !== undefined || !context.viewer.sees(projectId)) return role;
    return (await this.usedBy(context)).has(id) ? 'VIEWER' : undefined;
  }

  /** Limits a list of endpoints to those that the viewer may see. */
  async visible(context: RequestContext, projectId: string | null | undefined): Promise<Condition | undefined> {
    const { viewer } = context;
    const granted = visibleRows(viewer, projectId, 'row.service_id');
    if (granted === undefined || (projectId && viewer.roleIn(projectId) !== undefined)) return granted;
    const [sql, parameters] = granted;
    const usedIds = [...(await this.usedBy(context))];
    const used = projectId ? 'row.project_id = :usedProjectId AND row.id = ANY(:usedIds)' : 'row.id = ANY(:usedIds)';
    return [`(${sql}) OR (${used})`, { ...parameters, usedIds, usedProjectId: projectId }];
  }

  /**
   * The ids of endpoints of one project, with a new id in the place of each endpoint that the viewer may not see. So a command
   * treats it like an endpoint that does not exist.
   */
  async withoutUnseen(
    manager: EntityManager,
    context: RequestContext,
    projectId: string,
    ids: readonly string[],
  ): Promise<string[]> {
    if (context.viewer.roleIn(projectId) !== undefined) return [...ids];
    const rows = await visibleRowsById(context, manager, this.lookup, ids);
    return ids.map((id, index) => (isUuid(id) && rows[index] === null ? randomUUID() : id));
  }

  private usedBy({ viewer, loaders }: RequestContext): Promise<ReadonlySet<string>> {
    const serviceIds = viewer.serviceIds();
    return serviceIds.length === 0 ? Promise.resolve(new Set()) : loaders.of(this.used).load(serviceIds.join(' '));
  }
}
