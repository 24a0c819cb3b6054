import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import type { HttpRequestStep, StepResult } from '../../../platform/step.ts';
import type { Endpoint, Endpoints } from '../../words.ts';
import { connect, isLoopback, proxyFromEnvironment } from './connect.ts';
import { failureOf } from './failure.ts';
import { authorizationOf } from './oauth1.ts';
import { redactor } from './redact.ts';

/** What is read of an answer at most: its words are for a log line. */
const answerBytes = 2_048;
const wordsCharacters = 200;
/** A service that asks for more patience than this is asked again all the same. */
const longestRetryMs = 3_600_000;

/** Makes the function that sends a request, with the secrets that `endpoints` has at that moment. */
export function createHttpRequester(
  endpoints: Endpoints,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): (step: HttpRequestStep) => Promise<StepResult> {
  return async (step) => {
    let endpoint: Endpoint;
    try {
      endpoint = await endpoints(step.notification);
    } catch (error) {
      return unsendable(error instanceof Error ? error.message : String(error));
    }
    const address = addressOf(step, endpoint);
    // It was taken out of the configuration while this waited.
    if (address === undefined) return unsendable(`${step.notification} has no url any more`);
    if (step.secret !== undefined && endpoint.token === undefined) {
      return unsendable(`${step.notification} has no token any more`);
    }
    const url = URL.canParse(address) ? new URL(address) : undefined;
    const wrong = url === undefined ? 'its address is not one' : mayBeSent(url, endpoint);
    if (url === undefined || wrong !== undefined) return refused(`it was not sent: ${wrong}`);
    const named = endpoint.proxy ?? proxyFromEnvironment(url, environment);
    if (named !== undefined && !isProxy(named)) return unsendable('the proxy is not an address');
    const proxy = named === undefined || named === '' ? undefined : new URL(named);
    const secret = typeof step.url === 'string' ? [] : [address];
    const redact = redactor(secretsOf(endpoint), [...secret, ...(named ? [named] : [])]);
    return send({ step, endpoint, url, proxy, redact });
  };
}

interface Sending {
  readonly step: HttpRequestStep;
  readonly endpoint: Endpoint;
  readonly url: URL;
  readonly proxy: URL | undefined;
  /** Takes what is secret out of an answer, which can repeat it. */
  redact(text: string): string;
}

async function send({ step, endpoint, url, proxy, redact }: Sending): Promise<StepResult> {
  const { certificates } = endpoint;
  const where = proxy === undefined ? url.host : `${url.host} (through ${proxy.host})`;
  const deadline = new AbortController();
  const timer = setTimeout(() => deadline.abort(), step.deadlineMs);
  const { signal } = deadline;
  try {
    const body = bodyOf(step, endpoint);
    const headers = {
      ...step.headers,
      ...authorization(step, endpoint, url),
      host: url.host,
      'user-agent': 'ar-exec',
      'content-length': Buffer.byteLength(body),
      connection: 'close',
    };
    const socket = await connect({ url, proxy, certificates, signal });
    // The request reports what happens to the socket from here on, but not after its own end.
    socket.on('error', () => {});
    try {
      const sent = request({
        method: step.method,
        path: `${url.pathname}${url.search}`,
        headers,
        createConnection: () => socket,
        signal,
      });
      sent.on('error', () => {});
      sent.end(body);
      const [answer] = (await once(sent, 'response', { signal })) as [IncomingMessage];
      return await resultOf(answer, where, redact);
    } finally {
      socket.destroy();
    }
  } catch (error) {
    if (!signal.aborted) return failureOf(error, where);
    const stderr = `${where} did not answer within ${step.deadlineMs / 1_000} s`;
    return { failure: 'timeout', stdout: '', stderr };
  } finally {
    clearTimeout(timer);
  }
}

/** Taken is taken, whatever it says besides. */
async function resultOf(
  answer: IncomingMessage,
  where: string,
  redact: (text: string) => string,
): Promise<StepResult> {
  const { statusCode: status = 0, headers } = answer;
  if (status >= 200 && status < 300) return { stdout: '', stderr: '', status };
  const elsewhere = status >= 300 && status < 400 ? ' (redirects are not followed)' : '';
  const words =
    headers['content-type']?.includes('html') === true ? '' : redact(await wordsOf(answer));
  const said = words === '' ? '' : `: ${words.slice(0, wordsCharacters)}`;
  const stderr = `${where} answered ${status}${elsewhere}${said}`;
  const retryAfterMs = retryAfter(headers, Date.now());
  const patience = retryAfterMs === undefined ? {} : { retryAfterMs };
  return { failure: 'answer', status, stdout: '', stderr, ...patience };
}

/** The beginning of an answer, printable; what breaks off is what there is. */
async function wordsOf(answer: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of answer as AsyncIterable<Buffer>) {
      chunks.push(chunk);
      bytes += chunk.length;
      if (bytes >= answerBytes) break;
    }
  } catch {
    // The status is known, and says enough.
  }
  const text = Buffer.concat(chunks).subarray(0, answerBytes).toString('utf8');
  return text.replace(/[\s\p{Cc}\p{Cf}\ufffd]+/gu, ' ').trim();
}

/** RFC 9110, 10.2.3; X says when instead (https://docs.x.com/x-api/fundamentals/rate-limits). */
function retryAfter(headers: IncomingMessage['headers'], now: number): number | undefined {
  const after = headers['retry-after'];
  const reset = headers['x-rate-limit-reset'];
  const ms =
    after === undefined
      ? Number(reset ?? Number.NaN) * 1_000 - now
      : /^\d+(\.\d+)?$/.test(after)
        ? Number(after) * 1_000
        : Date.parse(after) - now;
  return Number.isNaN(ms) ? undefined : Math.min(longestRetryMs, Math.max(0, ms));
}

function addressOf({ url }: HttpRequestStep, endpoint: Endpoint): string | undefined {
  if (url === undefined) return endpoint.url;
  return typeof url === 'string' ? url : url.open();
}

function mayBeSent(url: URL, { allowHttp }: Endpoint): string | undefined {
  if (url.protocol === 'https:') return undefined;
  if (url.protocol !== 'http:') return `its address is not an https one (${url.protocol})`;
  if (isLoopback(url) || allowHttp === true) return undefined;
  return 'its address is http, which anybody on the way can read; see allow_http';
}

function isProxy(text: string): boolean {
  return text === '' || (URL.canParse(text) && /^https?:$/.test(new URL(text).protocol));
}

function bodyOf({ secret, body }: HttpRequestStep, { token = '' }: Endpoint): string {
  if (secret !== 'routing_key') return body;
  return JSON.stringify({ routing_key: token, ...(JSON.parse(body) as object) });
}

function authorization(
  { secret, method }: HttpRequestStep,
  { token = '' }: Endpoint,
  url: URL,
): { authorization?: string } {
  if (secret === 'bearer') return { authorization: `Bearer ${token}` };
  if (secret !== 'oauth1') return {};
  const [consumerKey = '', consumerSecret = '', user = '', userSecret = ''] = token.split(/\s+/);
  const keys = { consumerKey, consumerSecret, token: user, tokenSecret: userSecret };
  const nonce = randomBytes(16).toString('hex');
  const timestamp = Math.floor(Date.now() / 1_000);
  const signed = { method, url: url.href, keys, nonce, timestamp, version: '1.0' } as const;
  return { authorization: authorizationOf(signed) };
}

function secretsOf({ token = '' }: Endpoint): string[] {
  return [token, ...token.split(/\s+/)];
}

/** It may be mended until the next try. */
function unsendable(stderr: string): StepResult {
  return { failure: 'missing', stdout: '', stderr };
}

function refused(stderr: string): StepResult {
  return { failure: 'answer', status: 400, stdout: '', stderr };
}
