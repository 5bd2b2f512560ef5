import { ArgsType, Field, ID } from 'type-graphql';
import {
  jobChangeType,
  JobChangesArguments,
  jobSubscriptions,
  type JobSubscriptionDependencies,
} from '../jobs/jobSubscriptions.js';
import { uuid } from '../server/inputValidation.js';
import { restoreHandling } from './restoreJobCommands.js';
import { RestoreJobType } from './restoreJobType.js';
import { restoreJobLookup, scopeOfRestoreJob, type RestoreJobRow } from './restoreJobView.js';

const RestoreJobChangeType = jobChangeType('RestoreJob', () => RestoreJobType);

@ArgsType()
class RestoreJobChangesArguments extends JobChangesArguments {
  @Field(() => ID, { nullable: true, description: 'The target.' })
  readonly serviceId?: string | null;
}

export function restoreSubscriptions(tools: JobSubscriptionDependencies): object {
  return jobSubscriptions<RestoreJobRow, RestoreJobChangesArguments>(tools, {
    handling: restoreHandling,
    lookup: restoreJobLookup,
    scopeOf: scopeOfRestoreJob,
    JobType: RestoreJobType,
    ChangeType: RestoreJobChangeType,
    List: RestoreJobChangesArguments,
    check: (problems, { serviceId }) => problems.check('serviceId', serviceId, uuid),
    filterOf({ serviceId }) {
      const target = serviceId?.toLowerCase();
      return {
        conditions: [target ? ['row.target_service_id = :target', { target }] : undefined],
        fits: (row) => target === undefined || row.targetServiceId === target,
      };
    },
  });
}
