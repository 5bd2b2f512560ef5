import type { CloudFoundryConfig } from '../config.js';
import type { Log } from '../log.js';
import { findServices, findServicesOfInstances } from '../services/serviceQueries.js';
import { instanceId } from '../services/serviceRules.js';
import { CloudFoundry } from '../signIn/platform/cloudFoundry.js';
import { PlatformRights } from '../signIn/platform/platformRights.js';
import { pinnedFetch } from '../signIn/provider/pinnedFetch.js';
import type { Sealing } from '../signIn/sealing.js';
import type { Sessions } from '../signIn/sessions.js';
import type { Closing } from './closing.js';
import type { Shared } from './shared.js';

/** The rights that Cloud Foundry gives to people. Its connections are closed by `closing`. */
export function openPlatform(
  { dataSource }: Pick<Shared, 'dataSource'>,
  { url, allowedTargets }: CloudFoundryConfig,
  tools: { readonly sessions: Sessions; readonly sealing: Sealing; readonly log: Log },
  closing: Closing,
): PlatformRights {
  const connections = pinnedFetch((host, address) => allowedTargets.allowsHost(host, address));
  closing.add('connections to the platform', () => connections.close());
  return new PlatformRights({
    ...tools,
    platform: new CloudFoundry(url, connections.fetch),
    async servicesOf(ids) {
      const found = await findServices(dataSource.manager, ids);
      return found.flatMap((service) => (service?.removedAt === null ? [service] : []));
    },
    servicesOfInstances: (instanceIds) => findServicesOfInstances(dataSource.manager, instanceIds),
    isInstanceId: (text) => instanceId(text) === undefined,
  });
}
