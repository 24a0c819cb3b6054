/** Sends a mail through a mail server of one's own (SMTP). */
import type { OneShot, OneShotKind, Settings } from '../driver.ts';
import { everySystem } from '../system.ts';
import type { NamedTarget } from '../target.ts';
import { belowLevel, judgeMail, notifierTraits } from './answer.ts';
import { bodyOf, cut, type Message, messageOf } from './message.ts';
import type { SendMailStep } from './steps.ts';

const mailMs = 30_000;

export const mail: OneShotKind<NamedTarget> = {
  name: 'mail',
  defaults: { notification: 'mail-alert', host: '' },
  about: { add: 'sends a mail', systems: everySystem, options: ['notification'] },
  make: (settings: Settings): OneShot<NamedTarget> => ({
    name: 'mail',
    settings,
    traits: notifierTraits(settings),
    probe: {
      steps: [],
      read: () =>
        settings['server'] === undefined
          ? { usable: false, why: 'no mail server is configured: see <notification>', families: [] }
          : { usable: true, why: `through ${settings['server']}`, families: [] },
    },
    unwanted: (facts) => belowLevel(settings, facts),
    perform: (target, facts, attempt) => {
      const message = messageOf(facts, attempt?.also ?? [], settings['host'] ?? '');
      return { steps: [stepOf(settings, message, target)], read: judgeMail };
    },
  }),
};

function stepOf(settings: Settings, message: Message, target: NamedTarget): SendMailStep {
  const { notification = '', server = '', security, user, from = '', to = '', host } = settings;
  const colon = server.lastIndexOf(':');
  return {
    kind: 'send-mail',
    notification,
    host: server.slice(0, colon).replace(/^\[|\]$/g, ''),
    port: Number(server.slice(colon + 1)),
    security: security === 'tls' || security === 'none' ? security : 'starttls',
    ...(user === undefined ? {} : { user }),
    // As it introduces itself to the server.
    name: host || 'localhost',
    from,
    to: to.split(' '),
    subject: subjectOf(message),
    text: textOf(message),
    messageId: messageIdOf(target, from),
    deadlineMs: mailMs,
  };
}

function subjectOf({ title, level, more }: Message): string {
  const levelText = level === undefined ? '' : `[level ${level}] `;
  const moreText = more === 0 ? '' : ` (and ${more} more)`;
  return `${levelText}${cut(title, 150)}${moreText}`;
}

function textOf(message: Message): string {
  const { fields, at } = message;
  const time = at === undefined ? [] : [`Time: ${new Date(at).toISOString()}`];
  const facts = [...time, ...fields.map(([name, value]) => `${name}: ${value}`)].join('\n');
  return `${[message.title, bodyOf(message), facts].filter((part) => part !== '').join('\n\n')}\n`;
}

/** Another try has the same, so that a mailbox that got both can tell. */
function messageIdOf({ text }: NamedTarget, from: string): string {
  const domain = from.slice(from.lastIndexOf('@') + 1).replace(/[^\w.-]/g, '') || 'localhost';
  return `<ar-exec.${cut(text, 100).replace(/[^\w.-]/g, '-')}@${domain}>`;
}
