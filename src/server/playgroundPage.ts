import { existsSync } from 'node:fs';
import { join } from 'node:path';
import express, { Router } from 'express';

/** Serves the bundled playground. The names of its files contain a hash of their content, so they are cached for a year. */
export function playground(folder: string): Router {
  const router = Router();
  const page = join(folder, 'index.html');
  router.get('/', (request, response) => {
    if (request.originalUrl.replace(/\?.*$/, '').endsWith('/')) response.redirect('/playground');
    else if (existsSync(page)) response.set('Cache-Control', 'no-cache').sendFile(page);
    else response.status(404).type('text').send('The playground is not built. Run npm run build:playground.\n');
  });
  router.use('/assets', express.static(join(folder, 'assets'), { immutable: true, maxAge: '365d', index: false }));
  return router;
}

/** The folder that `npm run build:playground` writes, for the compiled program (dist/src/server) and for the sources. */
export function bundledPlayground(): string {
  const besideProgram = join(import.meta.dirname, '../../playground');
  return existsSync(besideProgram) ? besideProgram : join(import.meta.dirname, '../../dist/playground');
}
