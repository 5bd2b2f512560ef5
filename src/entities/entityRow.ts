import type { EntitySchemaColumnOptions } from 'typeorm';
import type { Check } from '../check.js';

/** The columns that the read models of all entities of a project have. */
export type EntityRow = {
  readonly id: string;
  readonly projectId: string;
  readonly createdAt: Date;
  readonly removedAt: Date | null;
  readonly version: number;
};

export const entityColumns: Readonly<Record<keyof EntityRow, EntitySchemaColumnOptions>> = {
  id: { type: 'uuid', primary: true },
  projectId: { name: 'project_id', type: 'uuid' },
  createdAt: { name: 'created_at', type: 'timestamptz' },
  removedAt: { name: 'removed_at', type: 'timestamptz', nullable: true },
  version: { type: 'int' },
};

/** An entity whose connection is checked. */
export type CheckedRow = EntityRow & { readonly lastCheck: Check | null };

export const checkedColumns: Readonly<Record<keyof CheckedRow, EntitySchemaColumnOptions>> = {
  ...entityColumns,
  lastCheck: { name: 'last_check', type: 'jsonb', nullable: true },
};
