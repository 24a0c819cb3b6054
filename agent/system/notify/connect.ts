/** A connection to the other side, by TLS or not, directly or through a proxy. */
import { once } from 'node:events';
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { BlockList, connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls, getCACertificates } from 'node:tls';

export interface ConnectOptions {
  readonly url: URL;
  readonly proxy: URL | undefined;
  /** Certificates in PEM that are trusted besides those that Node brings. */
  readonly certificates: string | undefined;
  readonly signal: AbortSignal;
}

/** The proxy took the request for a tunnel and refused it. */
export class ProxyRefused extends Error {
  readonly status: number;
  constructor(status: number) {
    super(`the proxy answered ${status}`);
    this.status = status;
  }
}

/** Rejects with what Node says of it, or with a ProxyRefused. Closed when `signal` is aborted. */
export async function connect({
  url,
  proxy,
  certificates,
  signal,
}: ConnectOptions): Promise<Socket> {
  const { host, port } = addressOf(url);
  const ca = certificates === undefined ? {} : { ca: [...getCACertificates(), certificates] };
  const tunnel =
    proxy === undefined
      ? undefined
      : await openTunnel(proxy, `${url.hostname}:${port}`, ca, signal);
  if (url.protocol === 'http:') {
    return tunnel ?? (await opened(connectTcp({ host, port }), 'connect', signal));
  }
  // What is asked for by number has no name to be asked for.
  const servername = isIP(host) === 0 ? { servername: host } : {};
  const over = tunnel === undefined ? {} : { socket: tunnel };
  const options = { ...ca, ...servername, ...over, host, port, ALPNProtocols: ['http/1.1'] };
  return opened(connectTls(options), 'secureConnect', signal);
}

/** Aborted at any moment, nothing stays open: not the tunnel that was asked for either. */
async function openTunnel(
  proxy: URL,
  target: string,
  ca: object,
  signal: AbortSignal,
): Promise<Socket> {
  const { host, port } = addressOf(proxy);
  const request = proxy.protocol === 'https:' ? httpsRequest : httpRequest;
  const asked = request({
    ...ca,
    host,
    port,
    method: 'CONNECT',
    path: target,
    headers: { host: target, ...authorization(proxy) },
    agent: false,
    signal,
  });
  // Aborted, it has an error that nobody waits for any more.
  asked.on('error', () => {});
  asked.end();
  const [answer, socket] = (await once(asked, 'connect', { signal })) as [
    { statusCode: number },
    Socket,
  ];
  socket.on('error', () => {});
  if (answer.statusCode === 200) return socket;
  socket.destroy();
  throw new ProxyRefused(answer.statusCode);
}

async function opened<S extends Socket>(
  socket: S,
  event: 'connect' | 'secureConnect',
  signal: AbortSignal,
): Promise<S> {
  try {
    await once(socket, event, { signal });
    return socket;
  } catch (error) {
    socket.on('error', () => {});
    socket.destroy();
    throw error;
  }
}

function authorization({ username, password }: URL): { 'proxy-authorization'?: string } {
  if (username === '') return {};
  const text = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return { 'proxy-authorization': `Basic ${Buffer.from(text).toString('base64')}` };
}

function addressOf({ hostname, port, protocol }: URL): { host: string; port: number } {
  const standard = protocol === 'https:' ? 443 : 80;
  return { host: hostname.replace(/^\[|\]$/g, ''), port: port === '' ? standard : Number(port) };
}

/**
 * The proxy that the environment names for an address. Only for TLS, which no proxy can read or
 * change; the environment of a service is root's, that of a command line perhaps not.
 */
export function proxyFromEnvironment(
  url: URL,
  environment: Readonly<Record<string, string | undefined>>,
): string | undefined {
  if (url.protocol !== 'https:' || isLoopback(url)) return undefined;
  const proxy = environment['https_proxy'] || environment['HTTPS_PROXY'];
  const except = environment['no_proxy'] || environment['NO_PROXY'] || '';
  return proxy === undefined || isExcepted(url, except) ? undefined : proxy;
}

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

export function isLoopback(url: URL): boolean {
  const { host } = addressOf(url);
  const family = isIP(host);
  if (family === 0) return host === 'localhost' || host.endsWith('.localhost');
  return loopback.check(host, family === 4 ? 'ipv4' : 'ipv6');
}

/** As curl has it: names with all below them, addresses, `*`; a port where one is meant. */
function isExcepted(url: URL, list: string): boolean {
  const { host, port } = addressOf(url);
  return list
    .toLowerCase()
    .split(/[\s,]+/)
    .filter(Boolean)
    .some((entry) => {
      if (entry === '*') return true;
      const [, name = '', only] = /^(.*?)(?::(\d+))?$/.exec(entry) ?? [];
      const domain = name.replace(/^\*?\./, '');
      const fits = host === domain || host.endsWith(`.${domain}`);
      return (fits && (only === undefined || Number(only) === port)) || host === entry;
    });
}
