/** What can stand in a `<notification>`. docs/configuration.md has the same; a test compares. */
import { isAbsolute, normalize } from 'node:path';

export const notificationKinds = [
  'slack',
  'mattermost',
  'teams',
  'discord',
  'json',
  'x',
  'mastodon',
  'pagerduty',
  'mail',
] as const;

export type NotificationKind = (typeof notificationKinds)[number];

/** Kinds whose address is itself the secret. */
export const webhooks: readonly NotificationKind[] = [
  'slack',
  'mattermost',
  'teams',
  'discord',
  'json',
];
const posts = ['x', 'mastodon', 'pagerduty'] as const;
const http = [...webhooks, ...posts];

export interface NotificationPart {
  readonly element: string;
  readonly kinds: readonly NotificationKind[];
  /** Kinds that cannot do without. */
  readonly required?: readonly NotificationKind[];
  /** What it takes, as messages and docs/configuration.md say it. */
  readonly form: string;
  fits(text: string): boolean;
}

const address = (text: string): boolean => text.length <= 4_096 && !/\s/.test(text) && isHttp(text);
const path = (text: string): boolean =>
  text.length <= 1_024 && isAbsolute(text) && normalize(text) === text && !text.endsWith('/');
const number = (min: number, max: number) => ({
  form: `${min} to ${max}`,
  fits: (text: string) => /^\d{1,4}$/.test(text) && Number(text) >= min && Number(text) <= max,
});
const choice = (...choices: readonly string[]) => ({
  form: choices.join(', '),
  fits: (text: string) => choices.includes(text),
});
const file = { form: 'an absolute path', fits: path };
const mailbox = /^[\w!#$%&'*+/=?^`{|}~.-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$/;
const isMailbox = (text: string): boolean => mailbox.test(text) && !/^\.|\.\.|\.@/.test(text);
const mailboxes = (text: string): boolean => {
  const found = text.split(/[\s,]+/);
  return found.length <= 100 && found.every(isMailbox);
};

/** A secret is a value or a file that holds it: `name` or `name_file`. */
export const secretParts = ['url', 'token', 'password', 'proxy'] as const;

export const notificationParts: readonly NotificationPart[] = [
  { element: 'url', kinds: http, required: ['mastodon'], form: 'an https address', fits: address },
  { element: 'url_file', kinds: webhooks, ...file },
  {
    element: 'token',
    kinds: posts,
    required: posts,
    form: 'a token; for x four of them',
    fits: (text) => text.length <= 4_096 && /^[\x21-\x7e]+(\s+[\x21-\x7e]+)*$/.test(text),
  },
  { element: 'token_file', kinds: posts, ...file },
  {
    element: 'channel',
    kinds: ['slack', 'mattermost'],
    form: 'the name of a channel',
    fits: (text) => /^[#@]?[\w.-]{1,80}$/.test(text),
  },
  {
    element: 'server',
    kinds: ['mail'],
    required: ['mail'],
    form: 'a host, or host:port',
    fits: (text) =>
      /^(?:[A-Za-z0-9][A-Za-z0-9.-]{0,252}|\[[0-9a-fA-F:.]+\])(?::\d{1,5})?$/.test(text),
  },
  { element: 'security', kinds: ['mail'], ...choice('starttls', 'tls', 'none') },
  {
    element: 'user',
    kinds: ['mail'],
    form: 'a name, with a password',
    fits: (text) => /^[\x21-\x7e]{1,256}$/.test(text),
  },
  {
    element: 'password',
    kinds: ['mail'],
    form: 'a password',
    fits: (text) => /^[^\p{Cc}]{1,1024}$/u.test(text),
  },
  { element: 'password_file', kinds: ['mail'], ...file },
  { element: 'from', kinds: ['mail'], required: ['mail'], form: 'an address', fits: isMailbox },
  {
    element: 'to',
    kinds: ['mail'],
    required: ['mail'],
    form: 'addresses, separated by commas or spaces',
    fits: mailboxes,
  },
  { element: 'min_level', kinds: notificationKinds, ...number(0, 16) },
  { element: 'per_minute', kinds: notificationKinds, ...number(1, 1_000) },
  {
    element: 'proxy',
    kinds: http,
    form: 'none, or http://host:port',
    fits: (text) => text === 'none' || address(text),
  },
  { element: 'proxy_file', kinds: http, ...file },
  { element: 'ca_file', kinds: notificationKinds, ...file },
  { element: 'allow_http', kinds: http, ...choice('no', 'yes') },
];

function isHttp(text: string): boolean {
  return URL.canParse(text) && /^https?:$/.test(new URL(text).protocol);
}
