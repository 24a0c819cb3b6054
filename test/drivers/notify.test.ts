import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { authorizationOf, baseString } from '../../agent/system/notify/oauth1.ts';
import type { Facts, Settings } from '../../platform/driver.ts';
import { mail } from '../../platform/notify/mail.ts';
import { messageOf } from '../../platform/notify/message.ts';
import { pagerduty } from '../../platform/notify/pagerduty.ts';
import { cutPost, postLength } from '../../platform/notify/post-length.ts';
import { slack } from '../../platform/notify/slack.ts';
import type { HttpRequestStep, SendMailStep } from '../../platform/notify/steps.ts';
import { xPost } from '../../platform/notify/x-post.ts';
import type { NamedTarget } from '../../platform/target.ts';

const target: NamedTarget = { kind: 'named', text: '1609869.80794' };
const alert: Facts = {
  title: 'sshd: brute force trying to get access to the system.',
  text: 'Nov 21 18:12:07 web sshd[1]: Failed password for <root> & co from 203.0.113.7',
  level: 10,
  ruleId: '5763',
  alertId: '1795284727.80794',
  alertAt: Date.parse('2026-11-21T18:12:07Z'),
  agentId: '001',
  agentName: 'web',
  location: '/var/log/auth.log',
  srcip: '203.0.113.7',
};

function chat(format: string, facts: Facts = alert, also: Facts[] = [], more: Settings = {}) {
  const settings = { ...slack.defaults, format, url: 'configured', host: 'web1', ...more };
  const attempt = { askedAt: 0, maybeDone: false, also };
  const { steps } = slack.make(settings).perform(target, facts, attempt);
  const [step] = steps as HttpRequestStep[];
  if (step === undefined) throw new Error('nothing would be sent');
  return { step, body: JSON.parse(step.body) };
}

/** Every fact may be anything that JSON can carry. */
const anyText = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 400 }),
  fc.string({ unit: 'grapheme', maxLength: 400 }),
  fc.constantFrom('<!channel> <@U1>', '@everyone', '```\n# x', '\r\nBcc: x@y.example\r\n\r\n.', ''),
  fc.string({ minLength: 5_000, maxLength: 8_192 }),
);
const anyFacts = fc.record(
  {
    title: anyText,
    text: anyText,
    level: fc.integer({ min: 0, max: 16 }),
    ruleId: anyText,
    alertAt: fc.integer({ min: 0, max: 8.64e15 }),
    agentId: anyText,
    agentName: anyText,
    location: anyText,
    srcip: anyText,
    user: anyText,
  },
  { requiredKeys: [] },
) as fc.Arbitrary<Facts>;

describe('a chat', () => {
  test('Slack gets the attachment that upstream sends, its markup escaped', () => {
    const { step, body } = chat('slack', alert, [], { channel: '#alerts' });
    expect(step).toMatchObject({ method: 'POST', notification: 'wazuh-slack' });
    expect(step).not.toHaveProperty('url');
    expect(body).toEqual({
      channel: '#alerts',
      attachments: [
        {
          fallback: alert.title,
          color: 'danger',
          pretext: 'WAZUH Alert',
          title: alert.title,
          text: 'Nov 21 18:12:07 web sshd[1]: Failed password for &lt;root&gt; &amp; co from 203.0.113.7',
          fields: [
            { title: 'Agent', value: '(001) - web' },
            { title: 'Location', value: '/var/log/auth.log' },
            { title: 'Rule ID', value: '5763 (level 10)' },
            { title: 'Address', value: '203.0.113.7' },
            { title: 'Told by', value: 'web1' },
          ],
          ts: 1795284727,
        },
      ],
    });
  });

  test.each([
    [0, 'good'],
    [4, 'good'],
    [5, 'warning'],
    [7, 'warning'],
    [8, 'danger'],
    [16, 'danger'],
    [undefined, 'good'],
  ])('has a level of %s in the colour %s', (level, color) => {
    expect(chat('slack', { ...alert, level }).body.attachments[0].color).toBe(color);
  });

  test('has the time of an alert without one from its id', () => {
    const { alertAt: _, ...facts } = alert;
    expect(chat('slack', facts).body.attachments[0].ts).toBe(1795284727);
    expect(chat('slack', { title: 'x' }).body.attachments[0]).not.toHaveProperty('ts');
  });

  test('Mattermost gets text as code, in which nobody is mentioned', () => {
    const facts = {
      title: 'hi @all [x](http://e)',
      text: 'a ``` @channel',
      level: 5,
      user: '`@me`',
    };
    expect(chat('mattermost', facts, [], { channel: 'town' }).body).toEqual({
      channel: 'town',
      attachments: [
        {
          fallback: 'hi @\u200ball \\[x\\](http://e)',
          color: '#daa038',
          pretext: 'WAZUH Alert',
          title: 'hi @\u200ball \\[x\\](http://e)',
          text: "```\na ''' @channel\n```",
          fields: [
            { title: 'Level', value: '`5`', short: true },
            { title: 'User', value: "`'@me'`", short: true },
            { title: 'Told by', value: '`web1`', short: true },
          ],
        },
      ],
    });
  });

  test('Teams gets an Adaptive Card of runs, which take no Markdown', () => {
    const { attachments, type } = chat('teams').body;
    expect(type).toBe('message');
    expect(attachments).toMatchObject([
      {
        contentType: 'application/vnd.microsoft.card.adaptive',
        contentUrl: null,
        content: {
          $schema: 'http://adaptivecards.io/schemas/adaptive-card.json',
          type: 'AdaptiveCard',
          version: '1.4',
          body: [
            { type: 'RichTextBlock', inlines: [{ type: 'TextRun', text: alert.title }] },
            { inlines: [{ text: alert.text, fontType: 'Monospace' }] },
            { inlines: [{ text: 'Agent: ' }, { text: '(001) - web' }] },
            {},
            {},
            {},
            {},
          ],
        },
      },
    ]);
    expect(JSON.stringify(attachments)).not.toContain('"TextBlock"');
  });

  test('Discord gets an embed, and mentions nobody', () => {
    expect(chat('discord').body).toMatchObject({
      allowed_mentions: { parse: [] },
      embeds: [
        {
          title: alert.title,
          description: `\`\`\`\n${alert.text}\n\`\`\``,
          color: 0xa30200,
          timestamp: '2026-11-21T18:12:07.000Z',
        },
      ],
    });
  });

  test('a program of one’s own gets plain members', () => {
    expect(chat('json', alert, [alert, { title: 'other' }]).body).toEqual({
      title: alert.title,
      text: alert.text,
      level: 10,
      severity: 'danger',
      fields: {
        Agent: '(001) - web',
        Location: '/var/log/auth.log',
        'Rule ID': '5763 (level 10)',
        Address: '203.0.113.7',
        'Told by': 'web1',
      },
      time: '2026-11-21T18:12:07.000Z',
      more: 2,
      summary: `and 2 more:\n1 × ${alert.title}\n1 × other`,
    });
  });

  test('is told of many at once, the most frequent first', () => {
    const also = [3, 1, 1, 2, 1, 4, 5, 6, 7].map((kind) => ({ title: `kind ${kind}` }));
    expect(messageOf(alert, also, 'h')).toMatchObject({
      more: 9,
      moreText: [
        'and 9 more:',
        '3 × kind 1',
        '1 × kind 3',
        '1 × kind 2',
        '1 × kind 4',
        '1 × kind 5',
        'and 2 other kinds',
      ].join('\n'),
    });
    expect(chat('slack', alert, also).body.attachments[0].text).toContain('and 9 more:');
  });

  test.each(['slack', 'mattermost', 'teams', 'discord', 'json'])(
    '%s gets valid JSON within its limits, whatever the alert says',
    (format) => {
      fc.assert(
        fc.property(anyFacts, fc.array(anyFacts, { maxLength: 8 }), (facts, also) => {
          const { step, body } = chat(format, facts, also);
          expect(step.body.isWellFormed()).toBe(true);
          expect(Buffer.byteLength(step.body)).toBeLessThan(28_000);
          const texts = allTexts(body);
          const all = texts.join('\n');
          expect(all).not.toMatch(/[\u202a-\u202e\u2066-\u2069]|[^\P{Cc}\n\t]/u);
          if (format === 'slack') expect(all).not.toMatch(/[<>]/);
          if (format === 'discord') {
            const [embed] = body.embeds;
            expect(embed.title.length).toBeLessThanOrEqual(256);
            expect((embed.description ?? '').length).toBeLessThanOrEqual(4_096);
            expect(allTexts(embed).join('').length).toBeLessThanOrEqual(6_000);
          }
        }),
        { numRuns: 60 },
      );
    },
    60_000,
  );

  describe('whose address comes with the request', () => {
    const make = (extraArgs: string[]) =>
      slack.make({ ...slack.defaults, host: 'h' }).perform(target, { title: 'x', extraArgs });

    test('is told there, and the address is seen nowhere', () => {
      const address = 'https://hooks.slack.com/services/T00000001/B2/secretsecret';
      const { steps } = make([address]);
      const [step] = steps as HttpRequestStep[];
      expect(typeof step?.url === 'object' && step.url.open()).toBe(address);
      expect(JSON.stringify(steps)).not.toMatch(/T00000001|secretsecret/);
      expect(JSON.stringify(steps)).toContain('https://hooks.slack.com/…');
      expect(`${step?.url}`).not.toContain('secret');
    });

    test.each([
      [[], 'brings none'],
      [['-'], 'not an address'],
      [['hooks.slack.com/services/secretsecret'], 'not an address'],
      [['https://a.example/x', 'secretsecret'], 'not an address'],
      [['ftp://a.example/secretsecret'], 'not an https one (ftp:)'],
      [['file:///etc/secretsecret'], 'not an https one (file:)'],
    ])('is not told at %j', (extraArgs, why) => {
      const { steps, read } = make(extraArgs);
      expect(steps).toEqual([]);
      const judged = read([]);
      expect(judged).toMatchObject({ done: false, again: false });
      expect('why' in judged && judged.why).toContain(why);
      expect(JSON.stringify(judged)).not.toContain('secretsecret');
    });

    test('is told where the configuration says, if that says it', () => {
      const facts = { ...alert, extraArgs: ['https://elsewhere.example/x'] };
      expect(chat('slack', facts).step).not.toHaveProperty('url');
    });
  });

  test.each([
    [{ level: 6 }, 'level 6 is below its min_level 7'],
    [{ level: 7 }, undefined],
    [{}, undefined],
  ])('with a min_level of 7 does not want %j: %s', (facts, why) => {
    for (const kind of [slack, xPost, mail, pagerduty]) {
      expect(kind.make({ ...kind.defaults, minLevel: '7' }).unwanted?.(facts)).toBe(why);
    }
  });
});

describe('PagerDuty', () => {
  const send = (facts: Facts): HttpRequestStep => {
    const made = pagerduty.make({ ...pagerduty.defaults, token: 'configured', host: 'web1' });
    return made.perform(target, facts).steps[0] as HttpRequestStep;
  };

  test('gets an event of version 2 without its key, which is filled in later', () => {
    const step = send(alert);
    expect(step).toMatchObject({
      url: 'https://events.pagerduty.com/v2/enqueue',
      secret: 'routing_key',
    });
    expect(JSON.parse(step.body)).toEqual({
      event_action: 'trigger',
      dedup_key: 'ar-exec/1609869.80794',
      payload: {
        summary: alert.title,
        source: 'web',
        severity: 'warning',
        timestamp: '2026-11-21T18:12:07.000Z',
        class: '5763',
        custom_details: {
          Agent: '(001) - web',
          Location: '/var/log/auth.log',
          'Rule ID': '5763 (level 10)',
          Address: '203.0.113.7',
          'Told by': 'web1',
          text: alert.text,
        },
      },
    });
  });

  test.each([
    [undefined, 'info'],
    [6, 'info'],
    [7, 'warning'],
    [11, 'warning'],
    [12, 'error'],
    [14, 'error'],
    [15, 'critical'],
  ])('has a level of %s as %s', (level, severity) => {
    expect(JSON.parse(send({ level }).body).payload.severity).toBe(severity);
  });

  test('gets what it requires, whatever the alert says', () => {
    fc.assert(
      fc.property(anyFacts, (facts) => {
        const { payload } = JSON.parse(send(facts).body);
        expect(payload.summary.length).toBeGreaterThan(0);
        expect(payload.summary.length).toBeLessThanOrEqual(1_024);
        expect(payload.source.length).toBeGreaterThan(0);
      }),
    );
  });
});

describe('a post', () => {
  // The cases of twitter-text's conformance suite (validate.yml, WeightedTweetsCounterTest), in kind.
  test.each([
    ['', 0],
    ['a'.repeat(280), 280],
    ['é', 1],
    ['e\u0301', 1],
    ['日本語', 6],
    ['한국어', 6],
    ['Привет', 6],
    ['“quoted” – and … ’', 18 + 2],
    ['😀', 2],
    ['👨‍👩‍👧', 8],
    ['http://example.com/a/very/long/path/that/goes/on/and/on/and/on', 23],
    ['see https://example.com', 27],
    ['example.com', 23],
    ['203.0.113.7', 11],
    ['word.word2 1.5', 14],
  ])('counts %j as %i at most', (text, length) => {
    expect(postLength(text)).toBeLessThanOrEqual(length);
    if (!text.includes('…') && !text.includes('\u200d')) expect(postLength(text)).toBe(length);
  });

  test('is cut to what fits, never inside of an address, an emoji or a letter', () => {
    const url = 'https://example.com/x';
    expect(cutPost(`${'a'.repeat(258)} ${url}`, 280)).toBe(`${'a'.repeat(258)}…`);
    expect(cutPost(`${'a'.repeat(256)} ${url}`, 280)).toBe(`${'a'.repeat(256)} ${url}`);
    expect(cutPost('語'.repeat(200), 280)).toBe(`${'語'.repeat(139)}…`);
    expect(cutPost(`${'a'.repeat(277)}👨‍👩‍👧 b`, 280)).toBe(`${'a'.repeat(277)}…`);
  });

  test('fits, whatever the alert says, and mentions nobody', () => {
    fc.assert(
      fc.property(anyFacts, fc.constantFrom('x', 'mastodon'), (facts, service) => {
        const made = xPost.make({
          ...xPost.defaults,
          service,
          url: 'https://m.example',
          host: 'h',
        });
        const [step] = made.perform(target, facts).steps as HttpRequestStep[];
        const { text = '', status = '' } = JSON.parse(step?.body ?? '');
        const post = text + status;
        expect(postLength(post)).toBeLessThanOrEqual(service === 'x' ? 280 : 500);
        expect(post.length).toBeGreaterThan(0);
        expect(post).not.toMatch(/[@＠](?!\u200b|…|$)/);
      }),
    );
  });

  test.each(['a.', 'a_', 'a.bc ', 'https://', `${'a'.repeat(60)}-.`, '\u0301', '👨‍👩‍👧'])(
    'of %j again and again is cut in no time',
    (text) => {
      const started = performance.now();
      cutPost(text.repeat(8_192), 280);
      expect(performance.now() - started).toBeLessThan(1_000);
    },
  );

  test('goes to X signed, to Mastodon with a token and once only', () => {
    const [onX] = xPost.make(xPost.defaults).perform(target, alert).steps;
    expect(onX).toMatchObject({ url: 'https://api.x.com/2/tweets', secret: 'oauth1' });
    expect(JSON.parse((onX as HttpRequestStep).body)).toEqual({
      text: `[level 10] ${alert.title}\n${alert.text}`,
    });
    const settings = {
      ...xPost.defaults,
      service: 'mastodon',
      url: 'https://m.example/api/v1/statuses',
    };
    const [onMastodon] = xPost.make(settings).perform(target, alert).steps;
    expect(onMastodon).toMatchObject({
      url: 'https://m.example/api/v1/statuses',
      secret: 'bearer',
      headers: { 'idempotency-key': '1609869.80794' },
    });
    expect(JSON.parse((onMastodon as HttpRequestStep).body)).toEqual({
      status: `[level 10] ${alert.title}\n${alert.text}`,
    });
  });
});

describe('a signature by OAuth 1.0a', () => {
  test('is that of the example of RFC 5849, 1.2', () => {
    const header = authorizationOf({
      method: 'GET',
      url: 'http://photos.example.net/photos?file=vacation.jpg&size=original',
      keys: {
        consumerKey: 'dpf43f3p2l4k3l03',
        consumerSecret: 'kd94hf93k423kf44',
        token: 'nnch734d00sl2jdk',
        tokenSecret: 'pfkkdhi9sl3r4s00',
      },
      nonce: 'chapoH',
      timestamp: 137131202,
      realm: 'Photos',
    });
    expect(header).toContain('oauth_signature="MdpQcU8iPSUjWoN%2FUDMsK2sui9I%3D"');
  });

  test('is over the text of the example of RFC 5849, 3.4.1.1', () => {
    const text = baseString(
      {
        method: 'post',
        url: 'http://example.com/request?b5=%3D%253D&a3=a&c%40=&a2=r%20b',
        form: { c2: '', a3: '2 q' },
      },
      {
        oauth_consumer_key: '9djdj82h48djs9d2',
        oauth_token: 'kkk9d7dh3k39sjv7',
        oauth_signature_method: 'HMAC-SHA1',
        oauth_timestamp: '137131201',
        oauth_nonce: '7d8f3e4a',
      },
    );
    expect(text).toBe(
      'POST&http%3A%2F%2Fexample.com%2Frequest&a2%3Dr%2520b%26a3%3D2%2520q%26a3%3Da%26b5%3D%253D%25253D%26c%2540%3D%26c2%3D%26oauth_consumer_key%3D9djdj82h48djs9d2%26oauth_nonce%3D7d8f3e4a%26oauth_signature_method%3DHMAC-SHA1%26oauth_timestamp%3D137131201%26oauth_token%3Dkkk9d7dh3k39sjv7',
    );
  });

  // https://docs.x.com/fundamentals/authentication/oauth-1-0a/authorizing-a-request: made for the host
  // and version that it had before.
  test('is that of the example in the documentation of X', () => {
    const header = authorizationOf({
      method: 'POST',
      url: 'https://api.twitter.com/1/statuses/update.json?include_entities=true',
      form: { status: 'Hello Ladies + Gentlemen, a signed OAuth request!' },
      keys: {
        consumerKey: 'xvz1evFS4wEEPTGEFPHBog',
        consumerSecret: 'kAcSOqF21Fu85e7zjz7ZN2U4ZRhfV3WpwPAoE3Z7kBw',
        token: '370773112-GmHxMAgYyLbNEtIKZeRNFsMKPR9EyMZeS9weJAEb',
        tokenSecret: 'LswwdoUaIvS8ltyTt5jkRh4J50vUPVVHtR2YPi5kE',
      },
      nonce: 'kYjzVBB8Y0ZFabxSWbWovY3uYSQ2pTgmZeNu2VS4cg',
      timestamp: 1318622958,
      version: '1.0',
    });
    expect(header).toContain('oauth_signature="tnnArxj06cWHq44gCs1OSKk%2FjLY%3D"');
  });
});

describe('a mail', () => {
  const make = (facts: Facts, more: Settings = {}, also: Facts[] = []): SendMailStep => {
    const settings = {
      notification: 'mail-alert',
      server: 'mail.example.org:587',
      security: 'starttls',
      from: 'ar@example.org',
      to: 'a@example.org b@example.org',
      host: 'web1',
      ...more,
    };
    const attempt = { askedAt: 0, maybeDone: false, also };
    return mail.make(settings).perform(target, facts, attempt).steps[0] as SendMailStep;
  };

  test('says what an alert says', () => {
    expect(make(alert, { user: 'ar' })).toEqual({
      kind: 'send-mail',
      notification: 'mail-alert',
      host: 'mail.example.org',
      port: 587,
      security: 'starttls',
      user: 'ar',
      name: 'web1',
      from: 'ar@example.org',
      to: ['a@example.org', 'b@example.org'],
      subject: `[level 10] ${alert.title}`,
      text: [
        alert.title,
        '',
        alert.text,
        '',
        'Time: 2026-11-21T18:12:07.000Z',
        'Agent: (001) - web',
        'Location: /var/log/auth.log',
        'Rule ID: 5763 (level 10)',
        'Address: 203.0.113.7',
        'Told by: web1',
        '',
      ].join('\n'),
      messageId: '<ar-exec.1609869.80794@example.org>',
      deadlineMs: 30_000,
    });
    expect(make(alert, { server: '[2001:db8::1]:25' })).toMatchObject({
      host: '2001:db8::1',
      port: 25,
    });
    expect(make(alert, {}, [alert, alert]).subject).toBe(`[level 10] ${alert.title} (and 2 more)`);
  });

  test('has a subject of one line, whatever the alert says', () => {
    fc.assert(
      fc.property(anyFacts, (facts) => {
        const { subject, text } = make(facts);
        expect(subject).not.toMatch(/[\p{Cc}\u202a-\u202e]/u);
        expect([...subject].length).toBeLessThanOrEqual(180);
        expect(text.isWellFormed()).toBe(true);
      }),
    );
  });
});

function allTexts(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  if (typeof value !== 'object' || value === null) return [];
  return Object.values(value).flatMap(allTexts);
}
