import { readFileSync } from 'node:fs';
import { chmod, chown, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { loadConfig } from '../../agent/config/load.ts';
import { notificationKinds, notificationParts } from '../../agent/config/notification-parts.ts';
import { createEndpoints } from '../../agent/config/notification-secrets.ts';
import { readConfig } from '../../agent/config/read.ts';
import { ArError } from '../../agent/errors.ts';
import { hideAddresses } from '../../agent/observe/hide-addresses.ts';
import { createManagerLog } from '../../agent/observe/manager-log.ts';
import { knownNames } from '../../agent/settle/known-names.ts';
import { configuredResponses } from '../../agent/settle/notifications.ts';
import { requires } from '../requirements.ts';

const folder = await mkdtemp(join(tmpdir(), 'ar-exec-notify-'));
afterAll(() => rm(folder, { recursive: true }));

const read = (text: string) => readConfig(`<ar-exec>\n${text}\n</ar-exec>`, 'file', knownNames);
const one = (attributes: string, content = '') =>
  `<notification ${attributes}>${content}</notification>`;
function refusal(text: string): string {
  try {
    read(text);
  } catch (error) {
    if (error instanceof ArError) return `${error.message} ${error.hint}`;
    throw error;
  }
  throw new Error('it was taken');
}

/** All that is said of a configuration, whether it is taken or not. */
function messagesOf(text: string): string {
  try {
    return read(text).warnings.join('\n');
  } catch (error) {
    if (error instanceof ArError) return `${error.message} ${error.hint}`;
    throw error;
  }
}

const page = readFileSync(new URL('../../docs/configuration.md', import.meta.url), 'utf8');
const table = page.split(/^## /m).find((part) => part.startsWith('Notifications')) ?? '';

describe('docs/configuration.md', () => {
  const rows = [...table.matchAll(/^\| `(.+?)` \| (.+?) \| (.+?) \| (.+?) \| (.+?) \|$/gm)].map(
    ([, element, kinds, , , form]) => ({ element, kinds, form }),
  );
  const kindsOf = (kinds: readonly string[]): string => {
    const missing = notificationKinds.filter((kind) => !kinds.includes(kind));
    if (missing.length === 0) return 'all';
    return missing.length === 1 ? `all but ${missing[0]}` : kinds.join(', ');
  };

  test('tells every element of a notification, its kinds and what it takes', () => {
    expect(rows).toEqual(
      notificationParts.map(({ element, kinds, form }) => ({
        element,
        kinds: kindsOf(kinds),
        form,
      })),
    );
  });

  test('has an example that is taken as it stands', () => {
    const example = /```xml\n([\s\S]*?)```/.exec(table)?.[1] ?? '';
    const { config, warnings } = readConfig(example, 'example', knownNames);
    expect(warnings).toEqual([]);
    expect(config.notifications.map(({ name }) => name)).toEqual([
      'wazuh-slack',
      'tell-the-office',
    ]);
  });
});

describe('a notification', () => {
  test('is a response of its name, and of the other names of a built-in one', () => {
    const { config } = read(
      one('name="wazuh-slack" kind="teams"', '<url>https://a.example/x</url>') +
        one(
          'name="mine" kind="mail"',
          '<server>m.example</server><from>a@b.example</from><to>c@d.example, e@f.example</to>',
        ),
    );
    const responses = configuredResponses(config.notifications);
    expect([...responses.keys()].sort()).toEqual([
      'mine',
      'ossec-slack',
      'ossec-slack.sh',
      'slack',
      'wazuh-slack',
    ]);
    expect(responses.get('slack')).toMatchObject({
      name: 'wazuh-slack',
      target: 'named',
      stateful: false,
      wantsFacts: true,
      instance: { driver: 'slack', settings: { format: 'teams', url: 'configured' } },
    });
    expect(responses.get('mine')?.instance).toMatchObject({
      driver: 'mail',
      settings: { server: 'm.example:587', to: 'c@d.example e@f.example' },
    });
  });

  test('has no secret in what is written down with an action', () => {
    const secret = 'S3cr3tS3cr3t';
    const { config } = read(
      [
        one(
          'name="a" kind="slack"',
          `<url>https://h.example/${secret}</url><proxy>http://u:${secret}@p.example:3128</proxy>`,
        ),
        one('name="b" kind="x"', `<token>k ${secret} t ${secret}</token>`),
        one('name="c" kind="mastodon"', `<url>https://m.example/s</url><token>${secret}</token>`),
        one('name="d" kind="pagerduty"', `<token>${secret}</token>`),
        one(
          'name="e" kind="mail"',
          `<server>m.example</server><from>a@b.example</from><to>c@d.example</to><user>u</user><password>${secret}</password>`,
        ),
      ].join(''),
    );
    const responses = configuredResponses(config.notifications);
    expect(responses.size).toBe(5);
    expect(JSON.stringify([...responses.values()])).not.toContain(secret);
  });

  test.each([
    ['', 'has the name ""'],
    ['name="a b" kind="slack"', 'has the name "a b"'],
    ['name="slack2" kind="slack"', 'does not end with a digit'],
    ['name="firewall-drop" kind="slack"', 'is a response that notifies nobody'],
    ['name="ossec-slack" kind="slack"', 'Write name="wazuh-slack"'],
    ['name="a" kind="Slack"', 'has the kind "Slack"'],
    ['name="a" kind="slack" url="x"', 'has the attribute "url"'],
    ['name="a" kind="mastodon"', 'lacks <url>'],
    ['name="a" kind="mail"', 'lacks <server>'],
  ])('with %j is refused: %s', (attributes, why) => {
    expect(refusal(one(attributes))).toContain(why);
  });

  test.each([
    ['slack', '<url>not-an-address-s3cret</url>', '<url> is not an https address'],
    ['slack', '<url>https://a.example/s3cret x</url>', '<url> is not an https address'],
    ['slack', '<url>https://a.example/s3cret</url><url_file>/x</url_file>', '<url> and <url_file>'],
    ['slack', 'https://a.example/s3cret', 'holds text outside of an element'],
    ['slack', '<url><b>s3cret</b></url>', '<url> is not an https address'],
    ['slack', '<proxy>s3cret:3128</proxy>', '<proxy> is not none, or http://host:port'],
    ['slack', '<min_level>17</min_level>', '<min_level> is not 0 to 16'],
    ['slack', '<url_file>relative</url_file>', '<url_file> is not an absolute path'],
    ['x', '<token>a s3cret c</token>', 'has 3 words'],
    ['mail', '<server>a:b</server>', '<server> is not a host, or host:port'],
    [
      'mail',
      '<server>m</server><from>a@b.example</from><to>c@d.example</to><user>x</user>',
      '<user> or <password>',
    ],
    [
      'mail',
      '<server>m</server><from>a@b.example</from><to>c@d.example</to><user>x</user><password>s3cret</password><security>none</security>',
      'in the clear',
    ],
    [
      'mail',
      '<server>m</server><from>a@b.example</from><to>x, s3cret</to>',
      '<to> is not addresses',
    ],
    [
      'mail',
      '<server>m</server><from>a@b.example\nBcc: s3cret@x.example</from>',
      '<from> is not an address',
    ],
  ])('of the kind %s with %s is refused', (kind, content, why) => {
    const said = refusal(one(`name="a" kind="${kind}"`, content));
    expect(said).toContain(why);
    expect(said).toMatch(/^file:2:\d+: /);
    expect(said).not.toContain('s3cret');
  });

  test('says which element means nothing, and which one was meant', () => {
    const { warnings } = read(
      one('name="a" kind="slack"', '<urls>https://s3cret.example/x</urls><server>m</server>'),
    );
    expect(warnings).toEqual([
      'file:2:37: <urls> means nothing to the kind slack: it is not taken. Did you mean "url"?',
      expect.stringContaining('<server> means nothing to the kind slack'),
    ]);
  });

  test('never has its secret in an error or a warning, however it is mangled', () => {
    const secret = 'Zq7SecretZq7';
    const whole = one(
      'name="a" kind="slack"',
      `<url>https://h.example/${secret}</url><channel>c</channel>`,
    );
    const puts = ['', '<', '>', '/', '"', '#', '\n', '–', '<url>', '</url>'];
    const told: string[] = [];
    for (let from = 0; from <= whole.length; from += 1) {
      for (let length = 0; length < 9; length += 1) {
        for (const put of puts) {
          const text = whole.slice(0, from) + put + whole.slice(from + length);
          const said = messagesOf(text);
          if (said.includes(secret)) told.push(`${text}: ${said}`);
        }
      }
    }
    expect(told).toEqual([]);
  });
});

describe('a secret', () => {
  const endpointOf = (content: string, kind = 'slack') =>
    createEndpoints(read(one(`name="a" kind="${kind}"`, content)).config.notifications)('a');
  const file = join(folder, 'secret');

  test('is read from its file each time, without the spaces around it', async () => {
    await writeFile(file, ' https://h.example/one\n', { mode: 0o600 });
    const content = `<url_file>${file}</url_file><proxy>none</proxy><allow_http>yes</allow_http>`;
    const endpoints = createEndpoints(
      read(one('name="a" kind="slack"', content)).config.notifications,
    );
    expect(await endpoints('a')).toMatchObject({
      url: 'https://h.example/one',
      proxy: '',
      allowHttp: true,
    });
    await writeFile(file, 'https://h.example/two');
    expect(await endpoints('a')).toMatchObject({ url: 'https://h.example/two' });
    expect(await endpoints('not configured')).toEqual({});
  });

  test.each([
    [0o644, 'others can use it'],
    [0o606, 'others can use it'],
    [0o660, 'its group can write it'],
  ])('in a file with the mode %o is refused: %s', async (mode, why) => {
    await writeFile(file, 'https://h.example/s3cret');
    await chmod(file, mode);
    await expect(endpointOf(`<url_file>${file}</url_file>`)).rejects.toThrow(why);
    await chmod(file, 0o640);
    await expect(endpointOf(`<url_file>${file}</url_file>`)).resolves.toBeDefined();
  });

  test('that is not there, empty, a folder or far too long is refused', async () => {
    const at = (path: string) => endpointOf(`<token_file>${path}</token_file>`, 'pagerduty');
    await expect(at(join(folder, 'none'))).rejects.toThrow('cannot be read (ENOENT)');
    await expect(at(folder)).rejects.toThrow('not a regular file');
    await writeFile(file, ' \n', { mode: 0o600 });
    await expect(at(file)).rejects.toThrow('is empty');
    await writeFile(file, 'x'.repeat(20_000));
    await expect(at(file)).rejects.toThrow('longer than');
  });

  test('certificates have to be some', async () => {
    const certificates = join(folder, 'ca.pem');
    await writeFile(certificates, 'nothing', { mode: 0o644 });
    await expect(endpointOf(`<ca_file>${certificates}</ca_file>`)).rejects.toThrow(
      'no certificate',
    );
  });

  test('that cannot be read, or that everybody can, is warned of at the start', async () => {
    const config = join(folder, 'ar-exec.conf');
    const write = async (content: string, mode: number) => {
      await writeFile(config, `<ar-exec>${one('name="a" kind="slack"', content)}</ar-exec>`);
      await chmod(config, mode);
      return (await loadConfig({ file: config, known: knownNames })).warnings;
    };
    expect(await write('<url_file>/nowhere/x</url_file>', 0o644)).toEqual([
      'the notification "a" cannot be sent: /nowhere/x cannot be read (ENOENT)',
    ]);
    expect(await write('<url>https://h.example/s3cret</url>', 0o644)).toEqual([
      expect.stringContaining(`${config} holds a secret and can be read by everybody`),
    ]);
    expect(await write('<url>https://h.example/s3cret</url>', 0o640)).toEqual([]);
    expect(await write('<proxy>http://p.example:3128</proxy>', 0o644)).toEqual([]);
    expect(await write('<proxy>http://u:p@p.example:3128</proxy>', 0o644)).toHaveLength(1);
  });
});

requires('root')('as root', () => {
  test('a file of somebody else is refused', async () => {
    const file = join(folder, 'foreign');
    await writeFile(file, 'https://h.example/x', { mode: 0o600 });
    await chown(file, 12_345, 0);
    const { config } = read(one('name="a" kind="slack"', `<url_file>${file}</url_file>`));
    await expect(createEndpoints(config.notifications)('a')).rejects.toThrow('the user 12345');
  });
});

describe("the manager's log", () => {
  test.each([
    ['https://hooks.slack.com/services/T0/B0/s3cret', 'https://hooks.slack.com/***'],
    ['hooks.slack.com/services/T0/s3cret', 'hooks.slack.com/***'],
    ['--url=https://u:s3cret@h.example:8443/a?b=s3cret#s3cret', '--url=https://h.example:8443/***'],
    ['HTTPS://H.example?token=s3cret', 'HTTPS://H.example/***'],
    ['a https://x.example/s3cret b', 'a https://x.example/*** b'],
    ['/var/ossec/active-response/bin/x.sh', '/var/ossec/active-response/bin/x.sh'],
    ['203.0.113.0/24', '203.0.113.0/24'],
    ['-', '-'],
  ])('has %s as %s', (written, seen) => {
    expect(hideAddresses([written])).toEqual([seen]);
  });

  test('has the line otherwise as it came, and as upstream writes it', async () => {
    const file = join(folder, 'active-responses.log');
    const log = createManagerLog(file, (error) => {
      throw error;
    });
    const line = (extra: unknown) =>
      `{"version":1,"origin":{"name":"n","module":"wazuh-execd"},"command":"add","parameters":{"extra_args":${JSON.stringify(extra)},"alert":{"data":{"srcip":"203.0.113.7"}},"program":"active-response/bin/wazuh-slack"}}`;
    log.added(line(['https://hooks.slack.com/services/s3cret']), 'x');
    log.removed(line(['https://hooks.slack.com/services/s3cret']));
    log.added(line([]), 'x');
    await log.flush();
    const text = readFileSync(file, 'utf8');
    expect(text).not.toContain('s3cret');
    expect(text).toContain(`: ${line(['https://hooks.slack.com/***'])}\n`);
    expect(text).toContain(`: ${line([])}\n`);
  });
});
