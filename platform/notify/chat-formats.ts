/** A message as the incoming webhooks of chat services take it. */
import { bodyOf, cut, cutUnits, type Message } from './message.ts';

export type ChatFormat = 'slack' | 'mattermost' | 'teams' | 'discord' | 'json';

interface Options {
  readonly channel?: string | undefined;
}

/**
 * Slack: upstream's attachment. Its text is markup, in which `<!channel>` would wake everybody, and is
 * escaped as https://docs.slack.dev/messaging/formatting-message-text says. `ts` is seconds since 1970;
 * upstream puts the alert's id there.
 */
export function slackPayload(message: Message, { channel }: Options): object {
  const plain = (text: string): string =>
    text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
  const { title, severity, fields, at } = message;
  return {
    channel,
    attachments: [
      {
        fallback: plain(title),
        color: severity,
        pretext: 'WAZUH Alert',
        title: plain(title),
        text: plain(bodyOf(message)),
        fields: fields.map(([name, value]) => ({ title: name, value: plain(value) })),
        ts: secondsOf(at),
      },
    ],
  };
}

/**
 * Mattermost: the same attachment. Its text is Markdown, and mentions in it count
 * (https://developers.mattermost.com/integrate/reference/message-attachments/), except in code.
 */
export function mattermostPayload(message: Message, { channel }: Options): object {
  const { title, severity, fields, at } = message;
  return {
    channel,
    attachments: [
      {
        fallback: quiet(title),
        color: { good: '#2eb886', warning: '#daa038', danger: '#a30200' }[severity],
        pretext: 'WAZUH Alert',
        title: quiet(title),
        text: block(bodyOf(message)),
        fields: fields.map(([name, value]) => ({
          title: name,
          value: `\`${value.replaceAll('`', "'")}\``,
          short: true,
        })),
        ts: secondsOf(at),
      },
    ],
  };
}

/**
 * Microsoft Teams, a webhook of its Workflows: an Adaptive Card. Text runs take no Markdown
 * (https://learn.microsoft.com/adaptive-cards/schema-explorer/text-run), so nothing becomes a link.
 */
export function teamsPayload(message: Message): object {
  const { title, severity, fields } = message;
  const color = { good: 'Good', warning: 'Warning', danger: 'Attention' }[severity];
  const run = (text: string, style: object = {}): object => ({ type: 'TextRun', text, ...style });
  const paragraph = (...inlines: object[]): object => ({ type: 'RichTextBlock', inlines });
  const body = bodyOf(message);
  return {
    type: 'message',
    attachments: [
      {
        contentType: 'application/vnd.microsoft.card.adaptive',
        contentUrl: null,
        content: {
          $schema: 'http://adaptivecards.io/schemas/adaptive-card.json',
          type: 'AdaptiveCard',
          version: '1.4',
          body: [
            paragraph(run(title, { weight: 'Bolder', size: 'Medium', color })),
            ...(body === '' ? [] : [paragraph(run(body, { fontType: 'Monospace' }))]),
            ...fields.map(([name, value]) =>
              paragraph(run(`${name}: `, { weight: 'Bolder' }), run(value)),
            ),
          ],
        },
      },
    ],
  };
}

/** Discord: an embed, within its limits (6,000 units in all); nobody is mentioned. */
export function discordPayload(message: Message): object {
  const { title, severity, fields, at } = message;
  return {
    allowed_mentions: { parse: [] },
    embeds: [
      {
        title: cutUnits(title, 256),
        description: block(cutUnits(bodyOf(message), 3_500)),
        color: { good: 0x2eb886, warning: 0xdaa038, danger: 0xa30200 }[severity],
        fields: fields.map(([name, value]) => ({
          name,
          value: cutUnits(`\`${value.replaceAll('`', "'")}\``, 300),
          inline: true,
        })),
        timestamp: isoOf(at),
      },
    ],
  };
}

/** For programs of one's own; docs/drivers/slack.md describes it. */
export function jsonPayload(message: Message): object {
  const { title, text, level, severity, fields, at, more, moreText } = message;
  return {
    title,
    text,
    level,
    severity,
    fields: Object.fromEntries(fields),
    time: isoOf(at),
    more,
    summary: moreText === '' ? undefined : moreText,
  };
}

/** Code, in which nothing is markup; three backticks would end it. */
function block(text: string): string | undefined {
  return text === '' ? undefined : `\`\`\`\n${text.replaceAll('```', "'''")}\n\`\`\``;
}

/** No mention, and no Markdown that makes links. */
function quiet(text: string): string {
  return cut(text, 250)
    .replaceAll('@', '@\u200b')
    .replace(/[[\]`*_~]/g, '\\$&');
}

function secondsOf(at: number | undefined): number | undefined {
  return at === undefined ? undefined : Math.floor(at / 1_000);
}

function isoOf(at: number | undefined): string | undefined {
  return at === undefined ? undefined : new Date(at).toISOString();
}
