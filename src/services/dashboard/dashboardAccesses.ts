import { randomUUID } from 'node:crypto';
import type { DataSource } from 'typeorm';
import type { EventStore } from '../../eventSourcing/eventStore.js';
import { actorOf } from '../../server/viewer.js';
import type { ServiceRow } from '../serviceView.js';
import { dashboardAccess, type DashboardAccessCommand } from './dashboardAccess.js';
import { dashboardAccessId, DashboardAccessTable } from './dashboardAccessView.js';

export type DashboardPerson = { readonly issuer: string; readonly sub: string; readonly name: string | null };

export type DashboardAccesses = {
  isAuthorised(person: DashboardPerson, service: Pick<ServiceRow, 'id'>): Promise<boolean>;
  /** Remembers that the person has authorised the dashboard of the service. Idempotent. */
  authorise(
    person: DashboardPerson,
    service: Pick<ServiceRow, 'id' | 'projectId'>,
    how: Pick<DashboardAccessCommand, 'by'> & { readonly clientAddress: string | undefined },
  ): Promise<void>;
};

/** The dashboards that people have authorised. */
export function dashboardAccesses(tools: {
  readonly dataSource: DataSource;
  readonly store: EventStore;
  readonly now: () => Date;
}): DashboardAccesses {
  const { dataSource, store, now } = tools;
  return {
    isAuthorised: (person, { id }) =>
      dataSource.manager.existsBy(DashboardAccessTable, { id: dashboardAccessId(person, id) }),

    async authorise({ issuer, sub, name }, { id: serviceId, projectId }, { by, clientAddress }) {
      const metadata = {
        actor: actorOf({ kind: 'person', issuer, sub }),
        actorKind: 'person' as const,
        actorName: name ?? sub,
        operation: 'authoriseDashboard',
        correlationId: randomUUID(),
        ...(clientAddress === undefined ? {} : { clientAddress }),
      };
      await store.transact(metadata, (tx) =>
        tx.execute(
          dashboardAccess,
          { id: dashboardAccessId({ issuer, sub }, serviceId), projectId },
          { kind: 'AUTHORISE', serviceId, issuer, sub, name, by, at: now().toISOString() },
        ),
      );
    },
  };
}
