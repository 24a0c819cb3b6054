/**
 * Tells Slack, or what takes webhooks like it: Mattermost, Microsoft Teams, Discord, a program of one's
 * own.
 *
 * The webhook's address is a secret: whoever has it can post. It stands in the configuration, which the
 * step only names, or comes with the request, as upstream's `extra_args`, and is sealed.
 */
import type { Facts, Judgement, OneShot, OneShotKind, Question, Settings } from '../driver.ts';
import { type Sealed, sealed } from '../sealed.ts';
import { everySystem } from '../system.ts';
import type { NamedTarget } from '../target.ts';
import { belowLevel, judgeHttp, notifierTraits } from './answer.ts';
import {
  type ChatFormat,
  discordPayload,
  jsonPayload,
  mattermostPayload,
  slackPayload,
  teamsPayload,
} from './chat-formats.ts';
import { type Message, messageOf } from './message.ts';
import type { HttpRequestStep } from './steps.ts';

export const requestMs = 15_000;

export const slack: OneShotKind<NamedTarget> = {
  name: 'slack',
  defaults: { notification: 'wazuh-slack', format: 'slack', host: '' },
  about: {
    add: 'posts to a webhook',
    systems: everySystem,
    options: ['notification'],
  },
  make: (settings: Settings): OneShot<NamedTarget> => ({
    name: 'slack',
    settings,
    traits: notifierTraits(settings),
    probe: {
      steps: [],
      read: () => ({
        usable: true,
        why:
          settings['url'] === 'configured'
            ? 'its webhook is configured'
            : 'no webhook is configured: the request has to bring one',
        families: [],
      }),
    },
    unwanted: (facts) => belowLevel(settings, facts),
    perform: (_, facts, attempt) => {
      const message = messageOf(facts, attempt?.also ?? [], settings['host'] ?? '');
      if (settings['url'] === 'configured') return post(settings, message);
      const url = urlFrom(facts);
      return typeof url === 'string' ? refused(url) : post(settings, message, url);
    },
  }),
};

/** `url` absent: the one that the configuration has. */
function post(settings: Settings, message: Message, url?: Sealed): Question<Judgement> {
  const step: HttpRequestStep = {
    kind: 'http-request',
    method: 'POST',
    notification: settings['notification'] ?? '',
    ...(url === undefined ? {} : { url }),
    headers: { accept: 'application/json', 'content-type': 'application/json; charset=utf-8' },
    body: JSON.stringify(payload(settings, message)),
    deadlineMs: requestMs,
  };
  return { steps: [step], read: judgeHttp };
}

function payload({ format, channel }: Settings, message: Message): object {
  switch (format as ChatFormat) {
    case 'mattermost':
      return mattermostPayload(message, { channel });
    case 'teams':
      return teamsPayload(message);
    case 'discord':
      return discordPayload(message);
    case 'json':
      return jsonPayload(message);
    default:
      return slackPayload(message, { channel });
  }
}

/** Upstream joins all arguments by a space. What is wrong with the address never quotes it. */
function urlFrom({ extraArgs = [] }: Facts): Sealed | string {
  const text = extraArgs.join(' ').trim();
  if (text === '') return 'no webhook is configured for it, and the request brings none';
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || /\s/.test(text)) return 'what the request brings is not an address';
  if (url.protocol !== 'https:' && url.protocol !== 'http:') {
    return `the address that the request brings is not an https one (${url.protocol})`;
  }
  return sealed(text, `${url.protocol}//${url.host}/… (of the request)`);
}

function refused(why: string): Question<Judgement> {
  return { steps: [], read: () => ({ done: false, why, again: false }) };
}
