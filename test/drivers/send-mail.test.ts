import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { SMTPServer, type SMTPServerOptions } from 'smtp-server';
import { afterEach, beforeAll, expect, test } from 'vitest';
import { createMailer } from '../../agent/system/notify/send-mail.ts';
import type { Endpoint } from '../../agent/words.ts';
import { judgeMail } from '../../platform/notify/answer.ts';
import { mail } from '../../platform/notify/mail.ts';
import type { SendMailStep, StepResult } from '../../platform/step.ts';
import { type Authority, createAuthority } from '../network/certificates.ts';
import { requires } from '../requirements.ts';

interface Received {
  readonly from: string;
  readonly to: readonly string[];
  readonly secure: boolean;
  readonly user: unknown;
  readonly lines: readonly string[];
}

const password = 'hunter22-secret';
const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  await Promise.all(closing.splice(0).map((close) => close()));
});

const named = (code: number, words: string): Error =>
  Object.assign(new Error(words), { responseCode: code });

requires('openssl')('a mail', () => {
  let authority: Authority;
  let key: string;
  let cert: string;
  beforeAll(() => {
    authority = createAuthority();
    ({ key, cert } = authority.sign(['DNS:localhost']));
  });

  /** A mail server with a certificate for `localhost`. */
  async function start(options: SMTPServerOptions = {}) {
    const received: Received[] = [];
    const server = new SMTPServer({
      key,
      cert,
      authOptional: true,
      logger: false,
      onAuth: ({ username, password: given }, _, done) => {
        if (given === password) done(null, { user: username });
        else done(named(535, `${given} is wrong`));
      },
      onData: (stream, session, done) => {
        let text = '';
        stream.setEncoding('latin1').on('data', (part: string) => {
          text += part;
        });
        stream.on('end', () => {
          const { mailFrom, rcptTo } = session.envelope;
          received.push({
            from: mailFrom === false ? '' : mailFrom.address,
            to: rcptTo.map(({ address }) => address),
            secure: session.secure,
            user: session.user,
            lines: text.split('\r\n'),
          });
          done();
        });
      },
      ...options,
    });
    server.on('error', () => {});
    server.listen(0, '127.0.0.1');
    await once(server.server, 'listening');
    closing.push(() => new Promise<void>((resolve) => server.close(() => resolve())));
    return { received, port: (server.server.address() as AddressInfo).port };
  }

  function step(port: number, more: Partial<SendMailStep> = {}): SendMailStep {
    return {
      kind: 'send-mail',
      notification: 'mail-alert',
      host: 'localhost',
      port,
      security: 'starttls',
      name: 'web1.example',
      from: 'ar@example.org',
      to: ['a@example.org', 'b@example.org'],
      subject: 'An alert',
      text: 'It happened.\n',
      messageId: '<ar-exec.1@example.org>',
      deadlineMs: 10_000,
      ...more,
    };
  }

  const send = (one: SendMailStep, endpoint: Endpoint = {}): Promise<StepResult> =>
    createMailer(async () => ({ certificates: authority.cert, ...endpoint }))(one);

  const header = ({ lines = [] }: Partial<Received> = {}, name: string): string | undefined => {
    const head = lines
      .slice(0, lines.indexOf(''))
      .join('\n')
      .replace(/\n[ \t]+/g, ' ');
    return new RegExp(`^${name}: (.*)$`, 'im').exec(head)?.[1];
  };

  test('goes out by STARTTLS, with a login', async () => {
    const { received, port } = await start();
    expect(await send(step(port, { user: 'ar' }), { token: password })).toEqual({
      stdout: '',
      stderr: '',
    });
    expect(received).toMatchObject([
      { from: 'ar@example.org', to: ['a@example.org', 'b@example.org'], secure: true, user: 'ar' },
    ]);
    expect(header(received[0], 'message-id')).toBe('<ar-exec.1@example.org>');
    expect(header(received[0], 'auto-submitted')).toBe('auto-generated');
    expect(header(received[0], 'from')).toBe('"ar-exec" <ar@example.org>');
    expect(header(received[0], 'to')).toBe('a@example.org, b@example.org');
    expect(received[0]?.lines).toContain('It happened.');
  });

  test('goes out by TLS from the beginning', async () => {
    const { received, port } = await start({ secure: true });
    expect(judgeMail([await send(step(port, { security: 'tls' }))])).toEqual({ done: true });
    expect(received).toMatchObject([{ secure: true }]);
  });

  test('goes out in the clear only where that is configured', async () => {
    const { received, port } = await start({ disabledCommands: ['STARTTLS'] });
    const result = await send(step(port));
    expect(judgeMail([result])).toMatchObject({ done: false, again: true });
    expect(result.stderr).toContain('STARTTLS');
    expect(received).toEqual([]);
    expect(await send(step(port, { security: 'none' }))).toMatchObject({ stderr: '' });
    expect(received).toMatchObject([{ secure: false }]);
  });

  test('is not given to a server with a wrong certificate', async () => {
    const { received, port } = await start();
    const wrong = { certificates: createAuthority().cert };
    const result = await send(step(port, { user: 'ar' }), { ...wrong, token: password });
    expect(result).toMatchObject({
      failure: 'io',
      stderr: expect.stringMatching(/^localhost:\d+ was not reached: .*certificate/),
    });
    const other = await send(step(port, { host: '127.0.0.1' }));
    expect(other.stderr).toContain('its certificate is for another name');
    expect(received).toEqual([]);
  });

  test('with a wrong password is not tried again, and the password is not told', async () => {
    const { port } = await start();
    const wrong = 'not-the-password';
    const result = await send(step(port, { user: 'ar' }), { token: wrong });
    expect(judgeMail([result])).toMatchObject({ done: false, again: false });
    expect(result).toMatchObject({ status: 535, stderr: expect.stringContaining('is wrong') });
    expect(result.stderr).not.toContain(wrong);
  });

  test('without the password that its user needs is not sent', async () => {
    const { received, port } = await start();
    expect(await send(step(port, { user: 'ar' }))).toMatchObject({
      failure: 'missing',
      stderr: 'mail-alert has no password any more',
    });
    expect(received).toEqual([]);
  });

  test.each([
    [451, true],
    [550, false],
  ])('that is answered by %i is tried again: %s', async (code, again) => {
    const { port } = await start({
      onRcptTo: (_, __, done) => done(named(code, 'greylisted\u001b[31m or unknown')),
    });
    const result = await send(step(port));
    expect(judgeMail([result])).toMatchObject({ done: false, again });
    expect(result.stderr).toMatch(new RegExp(`^localhost:\\d+ answered ${code} .*greylisted`));
    expect(result.stderr).not.toContain('\u001b');
  });

  test('that nobody takes in time is given up', async () => {
    const sockets: Socket[] = [];
    const closed: Promise<unknown>[] = [];
    const server = createServer((socket) => {
      sockets.push(socket.on('error', () => {}).resume());
      closed.push(once(socket, 'close'));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    closing.push(async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    });
    const { port } = server.address() as AddressInfo;
    const result = await send(step(port, { host: '127.0.0.1', deadlineMs: 300 }));
    expect(result).toMatchObject({ failure: 'timeout', stderr: expect.stringContaining('0.3 s') });
    await Promise.all(closed);
    expect(judgeMail([result])).toMatchObject({ again: true });
  });

  test('that nobody takes at all can be tried again', async () => {
    const { port } = await start();
    await Promise.all(closing.splice(0).map((close) => close()));
    expect(await send(step(port, { host: '127.0.0.1' }))).toMatchObject({
      failure: 'io',
      stderr: expect.stringContaining('ECONNREFUSED'),
    });
  });

  test.each([
    'x\r\nBcc: victim@example.net\r\n\r\nforged body',
    'grüße 日本語 👋',
    '=?utf-8?B?Zm9yZ2Vk?=',
    '.'.repeat(300),
  ])('with the title %j has exactly the headers that it should have', async (title) => {
    const { received, port } = await start();
    const facts = { title, text: `${title}\r\n.\r\nQUIT\r\n`, level: 3 };
    const settings = {
      notification: 'mail-alert',
      server: `localhost:${port}`,
      from: 'ar@example.org',
      to: 'a@example.org',
    };
    const target = { kind: 'named', text: 'x>\r\nBcc: <y' } as const;
    const [planned] = mail.make(settings).perform(target, facts).steps;
    expect(await send(planned as SendMailStep)).toMatchObject({ stderr: '' });
    const [one] = received;
    expect(received).toHaveLength(1);
    expect(one?.to).toEqual(['a@example.org']);
    const head = one?.lines.slice(0, one.lines.indexOf('')) ?? [];
    const names = head.filter((line) => !/^[ \t]/.test(line)).map((line) => line.split(':')[0]);
    expect(names.toSorted()).toEqual([
      'Auto-Submitted',
      'Content-Transfer-Encoding',
      'Content-Type',
      'Date',
      'From',
      'MIME-Version',
      'Message-ID',
      'Subject',
      'To',
    ]);
    expect(head.every((line) => /^[\x20-\x7e\t]*$/.test(line))).toBe(true);
    expect(header(one, 'message-id')).toMatch(/^<[\w.-]+@example\.org>$/);
  });
});
