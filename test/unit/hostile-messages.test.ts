/** Messages that held an agent up, or had more of a stranger in an error than they should. */
import { expect, test } from 'vitest';
import { readConfig } from '../../agent/config/read.ts';
import { ArError } from '../../agent/errors.ts';
import { parseDatagram } from '../../agent/intake/datagram.ts';
import { noCommands, parseLine } from '../../agent/intake/message.ts';
import { addedLines } from '../../agent/observe/manager-lines.ts';
import { lineFor } from '../../agent/script/plan-run.ts';
import { mannerOf } from '../../agent/script/settings.ts';
import { knownNames } from '../../agent/settle/known-names.ts';

const refusal = (work: () => unknown): ArError => {
  try {
    work();
  } catch (error) {
    if (error instanceof ArError) return error;
    throw error;
  }
  throw new Error('it was not refused');
};
const datagram = (text: string) => () =>
  parseDatagram(Buffer.from(text), { manager: 'ossec', commands: noCommands });

/** Each took longer by the square of its length: seconds for the longest that is taken. */
test.each([
  ['line ends', `${'\n'.repeat(65_000)}x`],
  ['digits', `${'1'.repeat(6_000)}x - 203.0.113.7`],
  ['spaces', `${' '.repeat(65_000)}x`],
])('a datagram of %s is read at once', (_, text) => {
  const from = performance.now();
  try {
    datagram(text)();
  } catch (error) {
    expect(error).toBeInstanceOf(ArError);
  }
  expect(performance.now() - from).toBeLessThan(1_000);
});

test('line ends at the end of a datagram do not count', () => {
  expect(datagram('firewall-drop600 - 203.0.113.7\r\n\n')()).toMatchObject({
    response: 'firewall-drop',
    timeoutSeconds: 600,
    srcip: '203.0.113.7',
  });
});

test('no control character of a stranger reaches a terminal in an error', () => {
  for (const name of ['a/\u009b2J\u001b]0;x\u0007', '!../\u0085\u009b31m']) {
    expect(refusal(datagram(`${name} - 203.0.113.7`)).message).not.toMatch(/\p{Cc}/u);
  }
});

test('no control character of a file reaches a terminal in a warning', () => {
  const text = `<ossec_config><command><name>x</name><executable>a\u009b2J/b</executable></command></ossec_config>`;
  const { warnings } = readConfig(text, 'x.conf', knownNames);
  expect(warnings.length).toBeGreaterThan(0);
  for (const warning of warnings) expect(warning).not.toMatch(/\p{Cc}/u);
});

test.each([
  { command: 'status', verbose: 'x'.repeat(5_000) },
  { command: 'delete', response: 'x', forget: 'y'.repeat(5_000) },
  { command: 'status', ['m'.repeat(5_000)]: 1 },
  { version: 1, origin: {}, command: 'x', parameters: 'z'.repeat(5_000) },
  { wazuh: { active_response: 'z'.repeat(5_000) } },
])('an error has no more of a message than is needed to find it', (message) => {
  const parsed = parseLine(JSON.stringify(message));
  expect('error' in parsed && parsed.error.message.length).toBeLessThan(600);
});

test.each([
  ['{/own.sh', ['add', '-', '203.0.113.7', '1.2', '5', '/var/log/x']],
  ['{"parameters":{"alert":{"data":{"srcip":"10.77.0.2"}}},"x":"/own.sh', ['add', '-', '-', '"}']],
])('the arguments of a caller are never taken for a message: %j', (program, words) => {
  const parsed = parseLine(JSON.stringify({ command: 'call', program, words }));
  if ('error' in parsed || parsed.ask.kind !== 'act') throw new Error('it is not a request');
  const { origin, facts, managerLine = '' } = parsed.ask.request;
  const settings = { name: 'own.sh', folder: '/r', file: 'own.sh', log: 'yes' } as const;
  const script = { ...settings, dialect: 'json', stateful: 'yes', extraArgs: [] } as const;
  const subject = { id: 1, createdAt: 0, deadlineAt: 1, origin, facts, managerLine };
  const line = lineFor(script, mannerOf('json', origin.dialect), subject, 'add') ?? '';
  expect(JSON.parse(line).parameters.alert.data.srcip).not.toBe('10.77.0.2');
  expect(addedLines(managerLine, { key: 'k' }, new Date(0))).not.toContain('Starting');
});
