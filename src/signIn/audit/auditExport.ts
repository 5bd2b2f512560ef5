import { once } from 'node:events';
import { Router, type Request, type RequestHandler, type Response } from 'express';
import { StowageError } from '../../errors.js';
import type { SignedInGuards } from '../../server/apiApp.js';
import { isUuid } from '../../server/inputValidation.js';
import { contextOf } from '../../server/http/httpContext.js';
import type { Viewer } from '../../server/viewer.js';
import type { StoredAuditEvent } from './auditEvent.js';
import { callerOf } from './auditReportsOf.js';
import { auditedProjects } from './auditRights.js';
import type { AuditSelection, AuditTrail } from './auditTrail.js';
import { csvLine } from './csv.js';

const columns = [
  ...(['id', 'at', 'what', 'actor', 'actorKind', 'name', 'clientAddress', 'projectId'] as const),
  ...(['operation', 'target', 'correlationId', 'detail', 'attempts'] as const),
];

type Format = { readonly type: string; readonly head: string; readonly line: (event: StoredAuditEvent) => string };

const formats: Readonly<Record<string, Format>> = {
  csv: {
    type: 'text/csv; charset=utf-8',
    head: csvLine(columns),
    line: (event) => csvLine(columns.map((name) => (name === 'at' ? event.at.toISOString() : event[name]))),
  },
  jsonl: {
    type: 'application/jsonl; charset=utf-8',
    head: '',
    line: (event) => `${JSON.stringify(Object.fromEntries(columns.map((name) => [name, event[name]])))}\n`,
  },
};

const batch = 1_000;
/** The time limit for a client that stops reading. */
const unreadMs = 60_000;

/**
 * `/audit/events.csv` and `/audit/events.jsonl`: the audit as a download, the newest first, for those who may read
 * `auditEvents`. `projectId`, `from` and `before` of the query limit it. A GET carries a token; a browser with a session sends
 * a POST, whose origin is checked. Rows are read while the client reads, so a long download needs little memory.
 */
export function auditExport(audit: Pick<AuditTrail, 'list' | 'record'>, { before, after }: SignedInGuards): Router {
  const router = Router();
  const send: RequestHandler = async (request, response) => {
    const format = formats[String(request.params['format'])];
    const caller = contextOf(response);
    const selection = selectionOf(caller.viewer, request);
    if (format === undefined || selection === 'WRONG' || selection === 'FORBIDDEN') {
      response.status(selection === 'FORBIDDEN' ? 403 : format === undefined ? 404 : 400);
      response.type('text').send(selection === 'FORBIDDEN' ? forbidden : wrong);
      return;
    }
    const projectId = selection.projectIds === 'ALL' ? null : (selection.projectIds[0] ?? null);
    await audit.record({ what: 'AUDIT_EXPORTED', ...callerOf(caller), projectId });
    response.set({
      'Content-Type': format.type,
      'Content-Disposition': `attachment; filename="audit-events.${String(request.params['format'])}"`,
      'Cache-Control': 'no-store',
    });
    await write(audit, selection, format, response);
  };
  router.get('/audit/events.:format', before, send, after);
  router.post('/audit/events.:format', before, send, after);
  return router;
}

async function write(
  audit: Pick<AuditTrail, 'list'>,
  selection: AuditSelection,
  { head, line }: Format,
  response: Response,
): Promise<void> {
  const closed = new AbortController();
  response.once('close', () => closed.abort());
  response.setTimeout(unreadMs, () => response.destroy());
  response.write(head);
  let after: string | null = null;
  for (let isBehind = true; isBehind && !closed.signal.aborted;) {
    const events: readonly StoredAuditEvent[] = await audit.list(selection, batch, after);
    isBehind = events.length === batch;
    after = events.at(-1)?.id ?? after;
    const text = events.map((event) => line(event)).join('');
    if (text !== '' && !response.write(text))
      await once(response, 'drain', { signal: closed.signal }).catch(() => undefined);
  }
  response.end();
}

const forbidden = 'The audit of a project is for its ADMINs.\n';
const wrong = 'Send projectId as an id, and from and before as times such as 2026-01-31T00:00:00Z.\n';

function selectionOf(viewer: Viewer, { query }: Request): AuditSelection | 'FORBIDDEN' | 'WRONG' {
  const { projectId, from, before } = query;
  const isWrongId = projectId !== undefined && (typeof projectId !== 'string' || !isUuid(projectId));
  const [first, end] = [timeIn(from), timeIn(before)];
  if (isWrongId || first === 'WRONG' || end === 'WRONG') return 'WRONG';
  try {
    return { projectIds: auditedProjects(viewer, projectId), from: first, before: end };
  } catch (error) {
    if (error instanceof StowageError && error.code === 'FORBIDDEN') return 'FORBIDDEN';
    throw error;
  }
}

function timeIn(text: unknown): Date | null | 'WRONG' {
  if (text === undefined) return null;
  if (typeof text !== 'string' || !/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/.test(text)) return 'WRONG';
  const time = new Date(text);
  return Number.isNaN(time.getTime()) ? 'WRONG' : time;
}
