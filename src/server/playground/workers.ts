/**
 * Tells the editor where its workers are: bundled beside the page, so that nothing is fetched from elsewhere.
 * The addresses are put in by build.js.
 */
declare const workerUrls: { readonly editor: string; readonly json: string; readonly graphql: string };

export function useBundledWorkers(): void {
  const environment = {
    getWorker(_id: string, label: string): Worker {
      const url = label === 'graphql' ? workerUrls.graphql : label === 'json' ? workerUrls.json : workerUrls.editor;
      return new Worker(url, { type: 'module', name: label });
    },
  };
  Object.assign(globalThis, { MonacoEnvironment: environment });
}
