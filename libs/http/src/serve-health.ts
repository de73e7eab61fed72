import type { Service } from '#libs/platform';
import { createHttpApp } from './http-app.js';

/** /healthz, /readyz and /metrics of a worker that serves nothing else, on HOST and PORT. */
export async function serveHealth(name: string, service: Service): Promise<void> {
  const { configuration, shutdown } = service;
  const api = { title: name, description: `Health of ${name}.`, version: '1' };
  const app = await createHttpApp({ ...service, api, modules: [], keys: configuration.api_keys });
  shutdown.step('http', () => app.close());
  await app.listen({ host: configuration.host, port: configuration.port });
}
