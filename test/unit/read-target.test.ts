import { describe, expect, test } from 'vitest';
import { readTarget } from '../../agent/policy/read-target.ts';
import type { ResponseDefinition } from '../../agent/policy/responses.ts';
import type { Request } from '../../agent/words.ts';
import type { Target } from '../../platform/target.ts';

const definition = (target: Target['kind']): ResponseDefinition => ({
  name: 'act',
  target,
  stateful: true,
  drivers: [],
  summary: '',
});
const read = (target: Target['kind'], more: Partial<Request>): Target => {
  const request = { verb: 'add', response: 'act', origin: { dialect: 'native' }, ...more } as const;
  return readTarget(request, definition(target), { system: 'linux', newName: () => 'new' });
};

describe('what a request is about', () => {
  /** All that a request can name: each response takes what it acts on. */
  const all: Partial<Request> = {
    srcip: '2001:DB8::7',
    user: 'eve',
    file: '/srv/a',
    process: { pid: 17, executable: '/bin/a' },
    facts: { alertId: '1.2' },
  };
  test.each<[Target['kind'], string]>([
    ['address', '2001:db8::7'],
    ['user', 'eve'],
    ['file', '/srv/a'],
    ['process', '17 /bin/a'],
    ['named', '1.2'],
  ])('is the %s that it names', (kind, text) => {
    expect(read(kind, all)).toMatchObject({ kind, text });
  });

  test('is new when nothing names it', () => {
    expect(read('named', {})).toEqual({ kind: 'named', text: 'new' });
  });

  test.each<[Target['kind'], string, string]>([
    ['address', 'address-missing', 'act needs an address and the request has none'],
    ['user', 'target-missing', 'act needs a user and the request has none'],
    ['file', 'target-missing', 'act needs a file and the request has none'],
    ['process', 'target-missing', 'act needs a process and the request has none'],
  ])('is refused without %s', (kind, code, message) => {
    const others = {
      ...all,
      srcip: undefined,
      user: undefined,
      file: undefined,
      process: undefined,
    };
    expect(() => read(kind, others)).toThrow(expect.objectContaining({ code, message }));
  });

  test.each<[Target['kind'], Partial<Request>]>([
    ['user', { user: '-q' }],
    ['user', { user: '' }],
    ['user', { user: '0' }],
    ['user', { user: '../root' }],
    ['file', { file: 'relative' }],
    ['file', { file: '/etc/../etc/shadow' }],
    ['file', { file: '' }],
    ['process', { process: {} }],
    ['process', { process: { pid: 17 } }],
    ['process', { process: { executable: '/bin/a' } }],
    ['process', { process: { pid: 0, executable: '/bin/a' } }],
    ['process', { process: { pid: 1.5, executable: '/bin/a' } }],
    ['process', { process: { pid: 17, executable: 'a' } }],
  ])('is refused as a %s: %j', (kind, more) => {
    expect(() => read(kind, more)).toThrow(expect.objectContaining({ code: 'target-invalid' }));
  });

  test('is shown on one short, printable line', () => {
    const user = `-${'x'.repeat(500)}\u001b[2J\n`;
    expect(() => read('user', { user })).toThrow(/^"-x{50,62}\.\.\." cannot be acted on: [ -~]*$/);
  });
});
