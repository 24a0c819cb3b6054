import { describe, expect, it } from 'vitest';
import { type ManagerQueue, parseDatagram } from '../../agent/intake/datagram.ts';
import { createQueue } from '../../agent/intake/queue.ts';
import { passedSockets } from '../../agent/system/passed-sockets.ts';
import type { Commands } from '../../agent/words.ts';

const commands: Commands = {
  find: (name) =>
    name === 'firewall-drop600' ? { executable: 'firewall-drop', timeoutSeconds: 600 } : undefined,
  longest: () => undefined,
};
const parse = (text: string | Buffer, manager: ManagerQueue = 'wazuh4') =>
  parseDatagram(Buffer.from(text), { manager, commands });
const wazuh4 = (command: string, more = '') =>
  `{"version":1,"origin":{"name":"node01","module":"wazuh-analysisd"},"command":"${command}","parameters":{"extra_args":[],"alert":{"data":{"srcip":"203.0.113.7"}}${more}}}`;
const wazuh5 = (executable: string) =>
  `{"wazuh":{"active_response":{"name":"n","executable":"${executable}","type":"stateful","stateful_timeout":5}},"source":{"ip":"203.0.113.7"}}`;
const ossec = 'firewall-drop600 - 203.0.113.7 1609869.80794 554 (web) any->/var/log/auth.log - -';
const drop = {
  verb: 'add',
  response: 'firewall-drop',
  srcip: '203.0.113.7',
  timeoutSeconds: 600,
  hostOnly: true,
};

describe('a datagram', () => {
  it.each(['', '\0', '\n', '\r\n', '\n\0', '\0rest of a buffer'])('may end in %j', (end) => {
    expect(parse(wazuh4('firewall-drop600') + end)).toMatchObject(drop);
    expect(parse(ossec + end)).toMatchObject(drop);
  });

  it('is of the dialect that it is in', () => {
    expect(parse(wazuh4('firewall-drop600')).origin.dialect).toBe('wazuh4');
    expect(parse(ossec, 'ossec').origin.dialect).toBe('ossec');
    expect(parse(wazuh5('block-ip'), 'wazuh5')).toMatchObject({
      response: 'block-ip',
      timeoutSeconds: 5,
      origin: { dialect: 'wazuh5' },
    });
  });

  it.each(['restart-wazuh', '{"command":"restart-wazuh"}', wazuh4('restart-wazuh')])(
    'can ask for a restart by itself: %s',
    (text) => expect(parse(text)).toMatchObject({ verb: 'add', response: 'restart-wazuh' }),
  );

  it('has the file of a custom command named, without an end', () => {
    const custom: Commands = { ...commands, find: (name) => ({ executable: name.slice(1) }) };
    const options = { manager: 'wazuh4' as const, commands: custom };
    expect(parseDatagram(Buffer.from(wazuh4('!own.sh')), options)).toMatchObject({
      response: 'own.sh',
      timeoutSeconds: undefined,
    });
  });

  it.each([
    ['nothing', '', 'is empty'],
    ['only an end', '\0', 'is empty'],
    ['JSON that is none', '{"version":1', 'is not JSON'],
    ['a word', 'unknown word', 'no user and no address'],
    ['an object without anything', '{}', 'member'],
    ['a command that is no text', '{"version":1,"origin":{},"command":5,"parameters":{}}', 'comm'],
    ['no version', '{"origin":{},"command":"x5","parameters":{}}', 'version'],
    ['a path', wazuh4('../../bin/id'), 'is a path'],
    ['a custom path', wazuh4('!../../bin/id'), 'is a path'],
    ['a path in words', '!../x - 203.0.113.7 1.1 5 here -', 'is a path'],
    ['a path of 5.0', wazuh5('../../bin/id'), 'is a path'],
    ['a folder', wazuh4('!..'), 'is a path'],
    ['no executable', '{"wazuh":{"active_response":{}}}', 'executable'],
    ['nothing in wazuh', '{"wazuh":{}}', 'active_response'],
    ["what only ar-exec's own socket takes", '{"command":"add","response":"firewall-drop"}', 'ver'],
    ['status', '{"command":"status"}', 'version'],
  ])('is refused: %s', (_, text, why) => {
    expect(() => parse(text)).toThrow(expect.objectContaining({ code: 'message-invalid' }));
    expect(() => parse(text)).toThrow(why);
  });

  it('of OSSEC is no message for Wazuh 5', () => {
    expect(() => parse(ossec, 'wazuh5')).toThrow('is not a JSON object');
  });

  it('has at most as many bytes as upstream reads', () => {
    const long = (bytes: number) => {
      const empty = wazuh4('firewall-drop600', ',"x":""');
      return empty.replace('"x":""', `"x":"${'x'.repeat(bytes - empty.length)}"`);
    };
    expect(Buffer.byteLength(long(65_535))).toBe(65_535);
    expect(parse(long(65_535))).toMatchObject(drop);
    expect(() => parse(long(65_536))).toThrow(
      expect.objectContaining({ code: 'message-too-large' }),
    );
    const words = `${ossec} ${'x'.repeat(6_144 - ossec.length)}`;
    expect(() => parse(words)).toThrow('longer than 6144');
  });
});

describe('the queue', () => {
  const make = (over: Partial<Parameters<typeof createQueue>[0]> = {}) => {
    const handled: string[] = [];
    const dropped: number[] = [];
    const queue = createQueue({
      limits: { messages: 1_000, bytes: 100_000 },
      prepare: async () => {},
      handle: async (message) => void handled.push(message.toString()),
      onDropped: (messages) => dropped.push(messages),
      ...over,
    });
    return { queue, handled, dropped };
  };

  it('hands everything over, in order', async () => {
    const { queue, handled } = make();
    const sent = Array.from({ length: 500 }, (_, n) => `m${n}`);
    for (const one of sent) queue.put(Buffer.from(one));
    await queue.handedOver();
    expect(handled).toEqual(sent);
    queue.put(Buffer.from('later'));
    await queue.handedOver();
    expect(handled.at(-1)).toBe('later');
    expect(queue.size()).toBe(0);
  });

  it('goes on while some are not carried out, and counts them', async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const begun: string[] = [];
    const { queue } = make({
      handle: (message) => {
        begun.push(message.toString());
        return promise;
      },
    });
    for (let n = 0; n < 200; n += 1) queue.put(Buffer.from('x'));
    await queue.handedOver();
    expect(begun).toHaveLength(200);
    expect(queue.size()).toBe(200);
    resolve();
    await expect.poll(() => queue.size()).toBe(0);
  });

  it.each([
    ['messages', { messages: 3, bytes: 100_000 }],
    ['bytes', { messages: 1_000, bytes: 30 }],
  ])('is bounded in %s, and says what it drops', async (_, limits) => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const { queue, dropped } = make({ limits, handle: () => promise });
    for (let n = 0; n < 5; n += 1) queue.put(Buffer.from('ten bytes.'));
    expect(queue.size()).toBe(3);
    // One line for now; the second goes into a later one.
    expect(dropped).toEqual([1]);
    resolve();
    await expect.poll(() => queue.size()).toBe(0);
    queue.put(Buffer.from('ten bytes.'));
    expect(queue.size()).toBe(1);
  });

  it('lets nothing be handled before it is prepared', async () => {
    const order: string[] = [];
    const { queue } = make({
      prepare: async () => {
        await new Promise((resolve) => setImmediate(resolve));
        order.push('prepared');
      },
      handle: async () => void order.push('handled'),
    });
    queue.put(Buffer.from('a'));
    queue.put(Buffer.from('b'));
    await queue.handedOver();
    expect(order).toEqual(['prepared', 'handled', 'handled']);
  });
});

describe('sockets that a service manager passes', () => {
  it.each([
    [{}, []],
    [{ LISTEN_FDS: '1' }, []],
    [{ LISTEN_FDS: '1', LISTEN_PID: '8' }, []],
    [{ LISTEN_FDS: 'x', LISTEN_PID: '7' }, []],
    [{ LISTEN_FDS: '-1', LISTEN_PID: '7' }, []],
    [{ LISTEN_FDS: '1000000000', LISTEN_PID: '7' }, []],
    [{ LISTEN_FDS: '1', LISTEN_PID: '7' }, [{ descriptor: 3, name: '' }]],
    [
      { LISTEN_FDS: '2', LISTEN_PID: '7', LISTEN_FDNAMES: 'other:execq' },
      [
        { descriptor: 3, name: 'other' },
        { descriptor: 4, name: 'execq' },
      ],
    ],
  ])('are what %j says', (environment, sockets) => {
    expect(passedSockets(environment, 7)).toEqual(sockets);
  });
});
