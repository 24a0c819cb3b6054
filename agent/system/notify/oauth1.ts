import { createHmac } from 'node:crypto';

/** The four keys of an application and of the account that it acts for. */
export interface Keys {
  readonly consumerKey: string;
  readonly consumerSecret: string;
  readonly token: string;
  readonly tokenSecret: string;
}

export interface Signed {
  readonly method: string;
  readonly url: string;
  /** Parameters of a form in the body, if it is one; JSON is not signed (RFC 5849, 3.4.1.3.1). */
  readonly form?: Readonly<Record<string, string>>;
  readonly keys: Keys;
  /** Never the same twice. */
  readonly nonce: string;
  /** Seconds since 1970. */
  readonly timestamp: number;
  readonly realm?: string;
  /** Left out by some, though it is always 1.0. */
  readonly version?: '1.0';
}

/** The header `Authorization` of a request with a signature by HMAC-SHA1 (RFC 5849). */
export function authorizationOf(request: Signed): string {
  const { keys, nonce, timestamp, realm, version } = request;
  const oauth: Record<string, string> = {
    oauth_consumer_key: keys.consumerKey,
    oauth_token: keys.token,
    oauth_signature_method: 'HMAC-SHA1',
    oauth_timestamp: String(timestamp),
    oauth_nonce: nonce,
    ...(version === undefined ? {} : { oauth_version: version }),
  };
  const signature = sign(baseString(request, oauth), keys);
  const members = Object.entries({ ...oauth, oauth_signature: signature });
  const list = members.map(([name, value]) => `${encode(name)}="${encode(value)}"`);
  return `OAuth ${[...(realm === undefined ? [] : [`realm="${realm}"`]), ...list].join(', ')}`;
}

/** RFC 5849, 3.4.1: method, address without its query, and all parameters in their order. */
export function baseString(
  { method, url, form = {} }: Pick<Signed, 'method' | 'url' | 'form'>,
  oauth: Readonly<Record<string, string>>,
): string {
  const { protocol, host, pathname, searchParams } = new URL(url);
  const parameters = [...searchParams, ...Object.entries(form), ...Object.entries(oauth)]
    .map(([name, value]): [string, string] => [encode(name), encode(value)])
    .sort((a, b) => compare(a[0], b[0]) || compare(a[1], b[1]))
    .map(([name, value]) => `${name}=${value}`);
  const address = `${protocol}//${host}${pathname}`;
  return [method.toUpperCase(), address, parameters.join('&')].map(encode).join('&');
}

function sign(text: string, { consumerSecret, tokenSecret }: Keys): string {
  const key = `${encode(consumerSecret)}&${encode(tokenSecret)}`;
  return createHmac('sha1', key).update(text).digest('base64');
}

/** By bytes: what is encoded is ASCII. */
function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** RFC 5849, 3.6: stricter than encodeURIComponent. */
function encode(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}
