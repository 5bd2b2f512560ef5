import { Arg, Args, Ctx, ID, Query, Resolver } from 'type-graphql';
import { InputProblems, uuid } from '../../server/inputValidation.js';
import { checkCursor, PageArguments, pageOf, pageRequest, type Page } from '../../server/page.js';
import type { RequestContext } from '../../server/requestContext.js';
import { Requires } from '../../server/requires.js';
import { AuditEventConnection, AuditEventFilter, AuditEventType } from './auditEventType.js';
import { auditedProjects } from './auditRights.js';
import type { AuditTrail } from './auditTrail.js';

export function auditResolver(audit: Pick<AuditTrail, 'count' | 'list'>): object {
  @Resolver()
  class AuditResolver {
    @Query(() => AuditEventConnection, {
      description:
        'Sign-ins, their ends, refused attempts, and reads of what is sensitive; the newest first. An ADMIN of a project gets the events of the project, the installation gets all.',
    })
    @Requires('ADMIN')
    async auditEvents(
      @Arg('projectId', () => ID, { nullable: true }) projectId: string | null | undefined,
      @Arg('filter', () => AuditEventFilter, { nullable: true }) filter: AuditEventFilter | null | undefined,
      @Args(() => PageArguments) page: PageArguments,
      @Ctx() { viewer }: RequestContext,
    ): Promise<Page<AuditEventType>> {
      new InputProblems().check('projectId', projectId, uuid).throwIfAny();
      const request = pageRequest(page, 'audit');
      checkCursor(request, 'uuid');
      const { what, actor, from, before } = filter ?? {};
      const selection = { what, actor, from, before, projectIds: auditedProjects(viewer, projectId) };
      const rows = await audit.list(selection, request.size + 1, request.after?.id ?? null);
      return pageOf(request, rows, {
        placeOf: ({ id }) => ({ key: id, id }),
        nodeOf: (row) => AuditEventType.of(row),
        countAll: () => audit.count(selection),
      });
    }
  }
  return new AuditResolver();
}
