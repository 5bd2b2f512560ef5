import type { Decider } from '../../eventSourcing/decider.js';

/** Whether a person has authorised the dashboard of a service. Each pair of a person and a service has its own stream. */
export type DashboardAccess = { readonly isAuthorised: boolean };

export type DashboardAccessCommand = {
  readonly kind: 'AUTHORISE';
  readonly serviceId: string;
  readonly issuer: string;
  readonly sub: string;
  /** A name for people, as it is now. It identifies nobody. */
  readonly name: string | null;
  /** Where the person agreed: on the page of Stowage, or at the provider. */
  readonly by: 'PAGE' | 'PROVIDER';
  readonly at: string;
};

export type DashboardAccessEvent = {
  readonly type: 'DashboardAuthorised';
  readonly data: Omit<DashboardAccessCommand, 'kind'>;
};

export const dashboardAccess: Decider<DashboardAccess, DashboardAccessCommand, DashboardAccessEvent> = {
  streamType: 'DashboardAccess',
  initial: { isAuthorised: false },

  decide({ serviceId, issuer, sub, name, by, at }, { isAuthorised }) {
    return isAuthorised ? [] : [{ type: 'DashboardAuthorised', data: { serviceId, issuer, sub, name, by, at } }];
  },

  evolve: () => ({ isAuthorised: true }),
};
