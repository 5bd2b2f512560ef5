/**
 * Sets the addresses of the editor's workers. They are bundled with the page, so that nothing is loaded from another server.
 * build.js inserts the addresses.
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
