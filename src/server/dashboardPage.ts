import type { RequestHandler } from 'express';

/** A placeholder for the dashboard of a service instance, so that links to it work already. */
export const dashboardPage: RequestHandler = (_request, response) => {
  response.type('html').send(page);
};

const page = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width">
    <title>Stowage</title>
  </head>
  <body>
    <h1>The dashboard is not built yet</h1>
    <p>The API already has all its data. Try it in the <a href="/playground">playground</a>.</p>
  </body>
</html>
`;
