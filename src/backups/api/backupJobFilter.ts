import type { ObjectLiteral } from 'typeorm';
import type { InputProblems } from '../../server/inputValidation.js';
import { uuid } from '../../server/inputValidation.js';
import type { BackupJobFilter } from './backupJobInput.js';
import type { BackupJobRow } from '../backupJobView.js';

type Condition = readonly [condition: string, parameters: ObjectLiteral];

const ids = { atLeast: 0, atMost: 500 };

/** Adds the problems of a filter, with paths that begin with `filter.`. */
export function checkFilter(problems: InputProblems, filter: BackupJobFilter | null | undefined): InputProblems {
  return problems
    .checkList('filter.serviceIds', filter?.serviceIds, ids, uuid)
    .checkList('filter.planIds', filter?.planIds, ids, uuid)
    .checkList('filter.fileEndpointIds', filter?.fileEndpointIds, ids, uuid)
    .check('filter.batchId', filter?.batchId, uuid)
    .checkList('filter.errorCode', filter?.errorCode, ids);
}

/** The filter as SQL conditions on `row`. */
export function filterConditions(filter: BackupJobFilter | null | undefined): readonly Condition[] {
  if (filter === null || filter === undefined) return [];
  const oneOf = (column: string, name: string, values: readonly unknown[] | null | undefined): Condition[] => {
    if (values === undefined || values === null) return [];
    // With `=` PostgreSQL can read an index in the order of the list. With ANY it cannot.
    if (values.length === 1) return [[`row.${column} = :${name}`, { [name]: values[0] }]];
    return [[`row.${column} = ANY(:${name})`, { [name]: values }]];
  };
  const { batchId, queuedFrom, queuedBefore } = filter;
  return [
    ...oneOf('service_id', 'serviceIds', filter.serviceIds),
    ...oneOf('plan_id', 'planIds', filter.planIds),
    ...oneOf('file_endpoint_id', 'fileEndpointIds', filter.fileEndpointIds),
    ...oneOf('batch_id', 'batchIds', batchId === undefined || batchId === null ? undefined : [batchId]),
    ...oneOf('status', 'statuses', filter.status),
    ...oneOf('availability', 'availabilities', filter.availability),
    ...oneOf('trigger', 'triggers', filter.trigger),
    ...oneOf('error_code', 'errorCodes', filter.errorCode),
    ...(queuedFrom ? [['row.queued_at >= :queuedFrom', { queuedFrom }] as const] : []),
    ...(queuedBefore ? [['row.queued_at < :queuedBefore', { queuedBefore }] as const] : []),
  ];
}

/** The properties of a job that never change, for the part of a filter whose result never changes. */
export type JobIdentity = Pick<
  BackupJobRow,
  'serviceId' | 'planId' | 'fileEndpointId' | 'batchId' | 'trigger' | 'queuedAt'
>;
export type JobStanding = Pick<BackupJobRow, 'status' | 'availability' | 'errorCode'>;

export function fitsForGood(job: JobIdentity, filter: BackupJobFilter): boolean {
  return (
    among(job.serviceId, filter.serviceIds) &&
    among(job.planId, filter.planIds) &&
    among(job.fileEndpointId, filter.fileEndpointIds) &&
    among(job.batchId, filter.batchId ? [filter.batchId] : undefined) &&
    among(job.trigger, filter.trigger) &&
    (!filter.queuedFrom || job.queuedAt >= filter.queuedFrom) &&
    (!filter.queuedBefore || job.queuedAt < filter.queuedBefore)
  );
}

export function fitsNow(job: JobStanding, filter: BackupJobFilter): boolean {
  return (
    among(job.status, filter.status) &&
    among(job.availability, filter.availability) &&
    among(job.errorCode, filter.errorCode)
  );
}

function among(value: string | null, values: readonly string[] | null | undefined): boolean {
  if (values === undefined || values === null) return true;
  return value !== null && values.some((each) => each === value || each.toLowerCase() === value);
}
