import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { createHttpRequester } from '../../agent/system/notify/http-request.ts';
import type { Endpoint } from '../../agent/words.ts';
import { judgeHttp } from '../../platform/notify/answer.ts';
import { sealed } from '../../platform/sealed.ts';
import type { HttpRequestStep, StepResult } from '../../platform/step.ts';
import { type Authority, createAuthority } from '../network/certificates.ts';
import { startProxy, type TunnelProxy } from '../network/proxy.ts';
import { type Answer, startWebServer, type WebServer } from '../network/web-server.ts';
import { requires } from '../requirements.ts';

const secretPath = '/services/T00000001/B00000002/abcdefghijklmnopqrstuvwx';
const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  await Promise.all(closing.splice(0).map((close) => close()));
});

async function web(answer?: Answer, ...more: [] | [{ key: string; cert: string }]) {
  const server = await startWebServer(answer, ...more);
  closing.push(server.close);
  return server;
}

async function proxyFor(how: Parameters<typeof startProxy>[0]): Promise<TunnelProxy> {
  const proxy = await startProxy(how);
  closing.push(proxy.close);
  return proxy;
}

/** A port on which something other than a web server is. */
async function listen(onSocket: (socket: Socket) => void): Promise<number> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket.on('error', () => {}));
    onSocket(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closing.push(async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return (server.address() as { port: number }).port;
}

/** Sends a request to a secret address, as a step of a webhook does. */
function send(
  endpoint: Endpoint,
  step: Partial<HttpRequestStep> = {},
  environment: Record<string, string> = {},
): Promise<StepResult> {
  return createHttpRequester(
    async () => endpoint,
    environment,
  )({
    kind: 'http-request',
    method: 'POST',
    notification: 'wazuh-slack',
    headers: { 'content-type': 'application/json' },
    body: '{"text":"grüße"}',
    deadlineMs: 10_000,
    ...step,
  });
}

const urlOf = ({ port }: WebServer, path = secretPath): string => `http://127.0.0.1:${port}${path}`;

describe('a request', () => {
  test('goes to the secret address, with its body as it is', async () => {
    const server = await web();
    expect(await send({ url: urlOf(server, '/a/b?c=d') })).toEqual({
      stdout: '',
      stderr: '',
      status: 200,
    });
    expect(server.received).toMatchObject([
      {
        method: 'POST',
        path: '/a/b?c=d',
        body: '{"text":"grüße"}',
        headers: {
          host: `127.0.0.1:${server.port}`,
          'content-type': 'application/json',
          'content-length': '18',
        },
      },
    ]);
    await expect.poll(() => server.open()).toBe(0);
  });

  test.each([200, 201, 202, 204])('that is answered by %i has been taken', async (status) => {
    const server = await web((_, response) => response.writeHead(status).end());
    expect(judgeHttp([await send({ url: urlOf(server) })])).toEqual({ done: true });
  });

  test('is over once it is taken, whatever comes behind', async () => {
    const server = await web((_, response) => {
      response.writeHead(200);
      response.write('and so on, for ever');
    });
    expect(await send({ url: urlOf(server) })).toMatchObject({ status: 200 });
    await expect.poll(() => server.open()).toBe(0);
  });

  test.each([
    [400, false],
    [401, false],
    [403, false],
    [404, false],
    [408, true],
    [410, false],
    [413, false],
    [429, true],
    [500, true],
    [502, true],
    [503, true],
  ])('that is answered by %i is tried again: %s', async (status, again) => {
    const server = await web((_, response) => response.writeHead(status).end('because'));
    expect(judgeHttp([await send({ url: urlOf(server) })])).toEqual({
      done: false,
      why: `127.0.0.1:${server.port} answered ${status}: because`,
      again,
    });
  });

  test.each([
    ['retry-after', '7', 7_000],
    ['retry-after', '0.5', 500],
    ['retry-after', '999999', 3_600_000],
    ['retry-after', 'soon', undefined],
  ])('is told by %s: %s how long to wait', async (name, value, afterMs) => {
    const server = await web((_, response) => response.writeHead(429, { [name]: value }).end());
    const judged = judgeHttp([await send({ url: urlOf(server) })]);
    expect('afterMs' in judged ? judged.afterMs : undefined).toBe(afterMs);
    expect(judged).toMatchObject({ again: true });
  });

  test.each([
    ['retry-after', (at: number) => new Date(at).toUTCString()],
    ['x-rate-limit-reset', (at: number) => String(Math.floor(at / 1_000))],
  ])('is told by %s until when to wait', async (name, form) => {
    const at = Date.now() + 60_000;
    const server = await web((_, response) => response.writeHead(429, { [name]: form(at) }).end());
    const { retryAfterMs = 0 } = await send({ url: urlOf(server) });
    expect(Math.abs(retryAfterMs - 60_000)).toBeLessThan(15_000);
  });

  test('does not follow redirects, and does not try them again', async () => {
    const other = await web();
    const server = await web((_, response) =>
      response.writeHead(307, { location: urlOf(other) }).end(),
    );
    expect(judgeHttp([await send({ url: urlOf(server) })])).toMatchObject({
      again: false,
      why: expect.stringContaining('answered 307 (redirects are not followed)'),
    });
    expect(other.received).toEqual([]);
  });

  test('has an answer read to its first two kilobytes, on one line', async () => {
    const server = await web((_, response) => {
      response.writeHead(500, { 'content-type': 'text/plain' });
      const more = () => response.write(`a\u001b[31m\n${'b'.repeat(65_536)}`) && setImmediate(more);
      more();
      response.on('drain', more);
    });
    const { stderr } = await send({ url: urlOf(server) });
    expect(stderr.length).toBeLessThan(300);
    expect(stderr).toMatch(/answered 500: a \[31m b+$/);
    await expect.poll(() => server.open()).toBe(0);
  });

  test('has no HTML put into a log', async () => {
    const server = await web((_, response) =>
      response.writeHead(502, { 'content-type': 'text/html' }).end('<html>Bad gateway'),
    );
    expect((await send({ url: urlOf(server) })).stderr).toMatch(/answered 502$/);
  });
});

describe('a request that goes wrong', () => {
  test('because nobody answers in time is given up, and its connection closed', async () => {
    const server = await web(() => {});
    const result = await send({ url: urlOf(server) }, { deadlineMs: 200 });
    expect(result).toMatchObject({
      failure: 'timeout',
      stderr: `127.0.0.1:${server.port} did not answer within 0.2 s`,
    });
    expect(judgeHttp([result])).toMatchObject({ again: true });
    await expect.poll(() => server.open()).toBe(0);
  });

  test('because the answer breaks off after its status still has the status', async () => {
    const port = await listen((socket) =>
      socket.once('data', () =>
        socket.end('HTTP/1.1 500 Oh\r\ncontent-length: 100\r\n\r\nhalf an ans'),
      ),
    );
    expect(await send({ url: `http://127.0.0.1:${port}/` })).toMatchObject({
      failure: 'answer',
      status: 500,
    });
  });

  test.each([
    [
      'resets',
      (socket: Socket) => socket.once('data', () => socket.resetAndDestroy()),
      /ECONNRESET/,
    ],
    ['hangs up', (socket: Socket) => socket.once('data', () => socket.end()), /ECONNRESET/],
    [
      'talks nonsense',
      (socket: Socket) => socket.once('data', () => socket.end('220 mail.example ESMTP\r\n')),
      /HPE_/,
    ],
  ])('because the other side %s can be tried again', async (_, onSocket, code) => {
    const port = await listen(onSocket);
    const result = await send({ url: `http://127.0.0.1:${port}${secretPath}` });
    expect(result).toMatchObject({ failure: 'io', stderr: expect.stringMatching(code) });
    expect(judgeHttp([result])).toMatchObject({ again: true });
  });

  test('because nobody is there, or the name is unknown, can be tried again', async () => {
    const server = await web();
    await server.close();
    closing.splice(0);
    expect(await send({ url: urlOf(server) })).toMatchObject({
      failure: 'io',
      stderr: expect.stringContaining('it takes no connections there (ECONNREFUSED)'),
    });
    expect(await send({ url: 'https://nowhere.invalid/x' })).toMatchObject({
      failure: 'io',
      stderr: expect.stringMatching(/its name (is not known|cannot be looked up)/),
    });
  });

  test('because its secret cannot be read can be tried again, and says why', async () => {
    const requester = createHttpRequester(async () => {
      throw new Error('/etc/hook is not kept');
    });
    const result = await requester({
      kind: 'http-request',
      method: 'POST',
      notification: 'x',
      headers: {},
      body: '{}',
      deadlineMs: 1_000,
    });
    expect(judgeHttp([result])).toEqual({ done: false, again: true, why: '/etc/hook is not kept' });
  });

  test.each([
    ['http://198.51.100.1/hook', 'allow_http'],
    ['ftp://127.0.0.1/hook', 'not an https one'],
    ['file:///etc/shadow', 'not an https one'],
    ['nonsense', 'its address is not one'],
  ])('is not sent to %s', async (url, why) => {
    const result = await send({ url });
    expect(result.stderr).toContain(why);
    expect(judgeHttp([result])).toMatchObject({ done: false, again: false });
  });
});

describe('secrets', () => {
  test('a token goes along as a bearer, or as a member of the body', async () => {
    const server = await web();
    await send({ token: 'tok-123' }, { url: urlOf(server, '/m'), secret: 'bearer' });
    await send(
      { token: 'key-456' },
      { url: urlOf(server, '/p'), secret: 'routing_key', body: '{"event_action":"trigger"}' },
    );
    expect(server.received[0]?.headers.authorization).toBe('Bearer tok-123');
    expect(JSON.parse(server.received[1]?.body ?? '')).toEqual({
      routing_key: 'key-456',
      event_action: 'trigger',
    });
  });

  test('four keys sign a request, each time anew', async () => {
    const server = await web();
    const token = 'ckey csecret utoken usecret';
    const step = { url: urlOf(server, '/2/tweets'), secret: 'oauth1' as const };
    await send({ token }, step);
    await send({ token }, step);
    const [first = '', second] = server.received.map(({ headers }) => headers.authorization);
    expect(first).toMatch(
      /^OAuth oauth_consumer_key="ckey", oauth_token="utoken", oauth_signature_method="HMAC-SHA1", oauth_timestamp="\d+", oauth_nonce="[0-9a-f]{32}", oauth_version="1.0", oauth_signature="[\w%]+"$/,
    );
    expect(first).not.toContain('secret');
    expect(second).not.toBe(first);
  });

  test.each(['bearer', 'oauth1', 'routing_key'] as const)(
    'that are no longer configured keep a request from being sent (%s)',
    async (secret) => {
      const server = await web();
      const result = await send({}, { url: urlOf(server), secret });
      expect(judgeHttp([result])).toEqual({
        done: false,
        again: true,
        why: 'wazuh-slack has no token any more',
      });
      expect((await send({})).stderr).toBe('wazuh-slack has no url any more');
      expect(server.received).toEqual([]);
    },
  );

  test('that an answer repeats are taken out of it', async () => {
    const token = 'tok-abcdef';
    const server = await web(({ path, headers }, response) =>
      response
        .writeHead(404)
        .end(
          `${path} ${path.replaceAll('/', '\\/')} ${encodeURIComponent(path)} ${headers.authorization} no such room abcdefghijklmnopqrstuvwx`,
        ),
    );
    const { stderr } = await send({ url: urlOf(server), token }, { secret: 'bearer' });
    expect(stderr).toContain('no such room');
    for (const part of ['T00000001', 'B00000002', 'abcdefghij', token]) {
      expect(stderr).not.toContain(part);
    }
  });

  test('that are cut in the middle by the end of what is read are taken out as well', async () => {
    const server = await web(({ path }, response) =>
      response.writeHead(404).end(`${'.'.repeat(180)}${path}`),
    );
    const { stderr } = await send({ url: urlOf(server) });
    expect(stderr).not.toContain('T0000');
  });

  test('of a request are not seen in the step, and used all the same', async () => {
    const server = await web((_, response) => response.writeHead(404).end(`no ${secretPath}`));
    const url = sealed(urlOf(server), 'http://127.0.0.1/…');
    expect(JSON.stringify({ url })).toBe('{"url":"http://127.0.0.1/…"}');
    expect(`${url}`).toBe('http://127.0.0.1/…');
    const { stderr } = await send({}, { url });
    expect(server.received[0]?.path).toBe(secretPath);
    expect(stderr).not.toContain('abcdefghij');
  });
});

requires('openssl')('by TLS', () => {
  let authority: Authority;
  beforeAll(() => {
    authority = createAuthority();
  });
  const https = ({ port }: WebServer, host = '127.0.0.1'): string =>
    `https://${host}:${port}${secretPath}`;

  test('a certificate is checked, and one of a company trusted where that is configured', async () => {
    const server = await web(undefined, authority.sign(['IP:127.0.0.1', 'DNS:localhost']));
    const certificates = authority.cert;
    expect(await send({ url: https(server), certificates })).toMatchObject({ status: 200 });
    const named = await send({ url: https(server, 'localhost'), certificates });
    expect(named).toMatchObject({ status: 200 });
    const untrusted = await send({ url: https(server) });
    expect(untrusted).toMatchObject({
      failure: 'io',
      stderr: expect.stringMatching(/the authority of its certificate is not .*; see ca_file$/),
    });
    expect(judgeHttp([untrusted])).toMatchObject({ again: true });
    expect(server.received).toHaveLength(2);
    await expect.poll(() => server.open()).toBe(0);
  });

  test('one for another name is refused', async () => {
    const server = await web(undefined, authority.sign(['DNS:hooks.example.org']));
    expect(await send({ url: https(server), certificates: authority.cert })).toMatchObject({
      stderr: expect.stringContaining('its certificate is for another name'),
    });
    expect(server.received).toEqual([]);
  });

  test('one that is too old is refused', async () => {
    const server = await web(undefined, authority.signOld(['IP:127.0.0.1']));
    expect(await send({ url: https(server), certificates: authority.cert })).toMatchObject({
      stderr: expect.stringContaining('its certificate has expired'),
    });
    expect(server.received).toEqual([]);
  });

  test('a server without TLS is told from one with a wrong certificate', async () => {
    const server = await web();
    expect(await send({ url: https(server) })).toMatchObject({
      stderr: expect.stringContaining('it does not speak TLS there'),
    });
  });

  test('a handshake that never ends is given up', async () => {
    const closed = Promise.withResolvers<void>();
    const port = await listen((socket) => socket.resume().on('close', () => closed.resolve()));
    const url = `https://127.0.0.1:${port}/x`;
    expect(await send({ url }, { deadlineMs: 200 })).toMatchObject({ failure: 'timeout' });
    await closed.promise;
  });

  test('a proxy makes a tunnel, and sees neither address nor body', async () => {
    const server = await web(undefined, authority.sign(['DNS:hooks.example.org']));
    const proxy = await proxyFor({ to: server.port });
    const endpoint = {
      url: `https://hooks.example.org${secretPath}`,
      proxy: `http://us%40er:pa%3Ass@127.0.0.1:${proxy.port}`,
      certificates: authority.cert,
    };
    expect(await send(endpoint)).toMatchObject({ status: 200 });
    expect(proxy.asked).toMatchObject([
      {
        target: 'hooks.example.org:443',
        headers: {
          'proxy-authorization': `Basic ${Buffer.from('us@er:pa:ss').toString('base64')}`,
        },
      },
    ]);
    expect(server.received).toMatchObject([
      { path: secretPath, headers: { host: 'hooks.example.org' } },
    ]);
    expect(server.received[0]?.headers).not.toHaveProperty('proxy-authorization');
    await expect.poll(() => proxy.open() + server.open()).toBe(0);
  });

  test.each([
    [{ status: 407 }, /through 127.0.0.1:\d+\) was not reached: the proxy answered 407$/],
    [{ to: 1 }, /ECONNRESET/],
  ])('a proxy that refuses (%j) is named', async (how, words) => {
    const proxy = await proxyFor(how);
    const result = await send({
      url: 'https://hooks.example.org/x',
      proxy: `http://user:hunter22@127.0.0.1:${proxy.port}`,
    });
    expect(result.stderr).toMatch(words);
    expect(result.stderr).not.toContain('hunter22');
    expect(judgeHttp([result])).toMatchObject({ again: true });
  });

  test('a proxy that never answers is given up, and nothing stays open', async () => {
    const proxy = await proxyFor('nothing');
    const endpoint = {
      url: 'https://hooks.example.org/x',
      proxy: `http://127.0.0.1:${proxy.port}`,
    };
    expect(await send(endpoint, { deadlineMs: 200 })).toMatchObject({ failure: 'timeout' });
    await expect.poll(() => proxy.open()).toBe(0);
  });

  test('the environment names a proxy, for TLS only', async () => {
    const server = await web(undefined, authority.sign(['DNS:hooks.example.org']));
    const plain = await web();
    const proxy = await proxyFor({ to: server.port });
    const named = `http://127.0.0.1:${proxy.port}`;
    const environment = { HTTPS_PROXY: named, HTTP_PROXY: named, http_proxy: named };
    const endpoint = { url: 'https://hooks.example.org/x', certificates: authority.cert };
    expect(await send(endpoint, {}, environment)).toMatchObject({ status: 200 });
    expect(await send({ url: urlOf(plain) }, {}, environment)).toMatchObject({ status: 200 });
    expect(proxy.asked).toHaveLength(1);
  });

  test.each([
    ['*', false],
    ['example.org', false],
    ['.example.org', false],
    ['other.org, hooks.example.org:443', false],
    ['hooks.example.org:8443', true],
    ['ple.org', true],
    ['', true],
  ])('it is left out by NO_PROXY %j: asked %s', async (except, asked) => {
    const proxy = await proxyFor({ status: 503 });
    const environment = { https_proxy: `http://127.0.0.1:${proxy.port}`, NO_PROXY: except };
    await send({ url: 'https://hooks.example.org/x' }, { deadlineMs: 300 }, environment);
    expect(proxy.asked.length > 0).toBe(asked);
  });

  test('the configuration wins over the environment, "none" too', async () => {
    const [ours, theirs] = [await proxyFor({ status: 503 }), await proxyFor({ status: 503 })];
    const environment = { https_proxy: `http://127.0.0.1:${theirs.port}` };
    const url = 'https://hooks.example.invalid/x';
    await send({ url, proxy: `http://127.0.0.1:${ours.port}` }, {}, environment);
    await send({ url, proxy: '' }, {}, environment);
    expect([ours.asked.length, theirs.asked.length]).toEqual([1, 0]);
  });
});
