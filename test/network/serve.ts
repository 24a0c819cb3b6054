/**
 * A web server in a namespace of a test, as a process of its own: it prints its port, then each request
 * as a line of JSON. The path says how it answers: `/500x2/…` twice by 500, then by 200; `/404/…` by 404
 * with the path in it; `/429/…` once by 429, to be asked again after 2 s; `/hang/…` never.
 */
import { startWebServer } from './web-server.ts';

const seen = new Map<string, number>();
const server = await startWebServer((request, response) => {
  const { path } = request;
  const times = (seen.get(path) ?? 0) + 1;
  seen.set(path, times);
  process.stdout.write(`${JSON.stringify({ at: Date.now(), ...request })}\n`);
  const [, how = ''] = path.split('/');
  const fails = /^500x(\d+)$/.exec(how);
  if (fails !== null && times <= Number(fails[1])) response.writeHead(500).end(`broken: ${path}`);
  else if (how === '404') response.writeHead(404).end(`no such room: ${path}`);
  else if (how === '429' && times === 1) response.writeHead(429, { 'retry-after': '2' }).end();
  else if (how !== 'hang') response.end('ok');
});
process.stdout.write(`${JSON.stringify({ port: server.port })}\n`);
