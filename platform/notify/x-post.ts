/**
 * Posts to X (API v2, https://docs.x.com/x-api/posts/create-post) or to Mastodon
 * (https://docs.joinmastodon.org/methods/statuses/#create). Everybody can read it, as a rule.
 */
import type { OneShot, OneShotKind, Settings } from '../driver.ts';
import { everySystem } from '../system.ts';
import type { NamedTarget } from '../target.ts';
import { belowLevel, judgeHttp, notifierTraits } from './answer.ts';
import { bodyOf, type Message, messageOf } from './message.ts';
import { cutPost } from './post-length.ts';
import { requestMs } from './slack.ts';
import type { HttpRequestStep } from './steps.ts';

const xUrl = 'https://api.x.com/2/tweets';
const longestOnX = 280;
/** An instance may allow more; its own count is never higher than X's. */
const longestOnMastodon = 500;

export const xPost: OneShotKind<NamedTarget> = {
  name: 'x-post',
  defaults: { notification: 'ossec-tweeter', service: 'x', host: '' },
  about: { add: 'posts to X or Mastodon', systems: everySystem, options: ['notification'] },
  make: (settings: Settings): OneShot<NamedTarget> => ({
    name: 'x-post',
    settings,
    traits: notifierTraits(settings),
    probe: {
      steps: [],
      read: () =>
        settings['token'] === 'configured'
          ? { usable: true, why: 'its keys are configured', families: [] }
          : { usable: false, why: 'no keys are configured: see <notification>', families: [] },
    },
    unwanted: (facts) => belowLevel(settings, facts),
    perform: (target, facts, attempt) => {
      const message = messageOf(facts, attempt?.also ?? [], '');
      const step = settings['service'] === 'mastodon' ? onMastodon : onX;
      return { steps: [step(settings, message, target)], read: judgeHttp };
    },
  }),
};

const headers = { accept: 'application/json', 'content-type': 'application/json; charset=utf-8' };

function onX(settings: Settings, message: Message): HttpRequestStep {
  return {
    kind: 'http-request',
    method: 'POST',
    notification: settings['notification'] ?? '',
    url: settings['url'] ?? xUrl,
    secret: 'oauth1',
    headers,
    body: JSON.stringify({ text: cutPost(postOf(message), longestOnX) }),
    deadlineMs: requestMs,
  };
}

function onMastodon(settings: Settings, message: Message, { text }: NamedTarget): HttpRequestStep {
  return {
    kind: 'http-request',
    method: 'POST',
    notification: settings['notification'] ?? '',
    url: settings['url'] ?? '',
    secret: 'bearer',
    // The same key within an hour makes no second post.
    headers: { ...headers, 'idempotency-key': text.replace(/[^\w.-]/g, '-') },
    body: JSON.stringify({ status: cutPost(postOf(message), longestOnMastodon) }),
    deadlineMs: requestMs,
  };
}

/** Nobody is mentioned, whoever wrote the log line: an invisible space behind each `@` sees to that. */
function postOf(message: Message): string {
  const { title, level } = message;
  const first = level === undefined ? title : `[level ${level}] ${title}`;
  const body = bodyOf(message);
  return (body === '' ? first : `${first}\n${body}`).replace(/[@＠]/g, '$&\u200b');
}
