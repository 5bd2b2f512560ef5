import { StowageError } from '../errors.js';
import type { Decider } from '../eventSourcing/decider.js';

/** The tenant. Every other object belongs to exactly one project. */
export type Project = { readonly exists: false } | { readonly exists: true; readonly name: string };

export type ProjectCommand = { readonly kind: 'CREATE'; readonly name: string; readonly at: string };

export type ProjectEvent = {
  readonly type: 'ProjectCreated';
  readonly data: { readonly name: string; readonly at: string };
};

export const project: Decider<Project, ProjectCommand, ProjectEvent> = {
  streamType: 'Project',
  initial: { exists: false },
  decide(command, state) {
    if (state.exists) throw new StowageError('CONFLICT', `Project "${state.name}" exists already.`);
    return [{ type: 'ProjectCreated', data: { name: command.name, at: command.at } }];
  },
  evolve(_state, event) {
    return { exists: true, name: event.data.name };
  },
};
