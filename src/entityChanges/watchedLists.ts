import type { DataSource } from 'typeorm';
import { EndpointRights, type EndpointsUsedBy } from '../endpoints/endpointRights.js';
import type { FileEndpointRow } from '../endpoints/fileEndpointView.js';
import { scopeOfPlan, type BackupPlanRow } from '../plans/backupPlanView.js';
import { watchedProjects } from '../projects/watchedProjects.js';
import { InputProblems, uuid } from '../server/inputValidation.js';
import { authorizedRow } from '../server/lookup.js';
import { contextOfNextEvent } from '../server/requestContext.js';
import { canSee, type OperationCall } from '../server/requires.js';
import { scopeOfService, serviceLookup, type ServiceRow } from '../services/serviceView.js';
import type { EntityChangesArguments, ServiceChangesArguments } from './entityChangeType.js';
import { entityRelations } from './entityRelations.js';
import { watchEntities, type EntitySources, type WatchedEntities } from './watchEntities.js';

export type EntityChangeDependencies = EntitySources & {
  readonly dataSource: DataSource;
  readonly endpointsUsedBy: EndpointsUsedBy;
};

/** Watches the services, file endpoints and plans that a caller may see. Checks arguments and rights first. */
export class WatchedLists {
  readonly #relations: ReturnType<typeof entityRelations>;
  readonly #rights: EndpointRights;

  constructor(private readonly tools: EntityChangeDependencies) {
    this.#relations = entityRelations(tools);
    this.#rights = new EndpointRights(tools.endpointsUsedBy);
  }

  services(call: OperationCall, list: ServiceChangesArguments) {
    const only = list.serviceId?.toLowerCase();
    return this.#watch<ServiceRow>(call, list, {
      ...this.#relations.service,
      fits: (row) => (only === undefined || row.id === only) && canSee(call.context, row, scopeOfService),
    });
  }

  plans(call: OperationCall, list: ServiceChangesArguments) {
    const only = list.serviceId?.toLowerCase();
    return this.#watch<BackupPlanRow>(call, list, {
      ...this.#relations.plan,
      fits: (row) => (only === undefined || row.serviceId === only) && canSee(call.context, row, scopeOfPlan),
    });
  }

  fileEndpoints(call: OperationCall, list: EntityChangesArguments) {
    return this.#watch<FileEndpointRow>(call, list, {
      ...this.#relations.fileEndpoint,
      // A plan may use the endpoint since the last event, so the loaders of the first event do not count.
      fits: async (row) => (await this.#rights.roleOf(row, contextOfNextEvent(call.context))) !== undefined,
    });
  }

  async #watch<Row>(
    call: OperationCall,
    list: ServiceChangesArguments,
    watched: Pick<WatchedEntities<Row>, 'changes' | 'load' | 'fits'>,
  ) {
    const { projectId, serviceId, after } = list;
    new InputProblems().check('projectId', projectId, uuid).check('serviceId', serviceId, uuid).throwIfAny();
    if (serviceId) await authorizedRow(call, this.tools.dataSource.manager, serviceLookup, serviceId);
    const projectIds = await watchedProjects(this.tools.dataSource, call, projectId);
    return watchEntities<Row>(this.tools, { ...watched, projectIds, after: after ?? undefined });
  }
}
