import { describe, expect, test } from 'vitest';
import { type Candidate, choose } from '../../agent/engine/choose.ts';
import { createChoosing } from '../../agent/settle/choosing.ts';
import { target } from './sample.ts';

const candidate = (
  driver: string,
  families: readonly (4 | 6)[],
  more: Partial<Candidate> = {},
): Candidate => ({
  driver,
  usability: { usable: families.length > 0, why: `it is ${driver}`, families },
  prefixes: true,
  ...more,
});
const account: Candidate = {
  driver: 'account',
  usability: { usable: true, why: 'passwd', families: [] },
};

describe('of the candidates', () => {
  test('the first usable one is taken, and the line says why', () => {
    const choice = choose('block', [
      candidate('a', []),
      candidate('b', [4, 6]),
      candidate('c', [4]),
    ]);
    expect(choice.byFamily).toEqual({ 4: 'b', 6: 'b' });
    expect(choice.why).toBe('block: a=no (it is a) b=yes (it is b) c=yes (it is c) -> b');
  });

  test('each family has its own', () => {
    const choice = choose('block', [
      candidate('a', [4]),
      candidate('b', [6]),
      candidate('c', [4, 6]),
    ]);
    expect(choice.byFamily).toEqual({ 4: 'a', 6: 'b' });
    expect(choice.inOrder.hosts).toEqual({ 4: ['a', 'c'], 6: ['b', 'c'] });
    expect(choice.why).toMatch(/-> IPv4 a, IPv6 b$/);
    expect(choose('block', [candidate('a', [4])]).why).toMatch(/-> IPv4 a, IPv6 none$/);
  });

  test('those that take single addresses only are not asked for prefixes', () => {
    const hostsOnly = candidate('a', [4, 6], { prefixes: false });
    const { inOrder } = choose('block', [hostsOnly, candidate('b', [4])]);
    expect(inOrder.hosts[4]).toEqual(['a', 'b']);
    expect(inOrder.prefixes).toEqual({ 4: ['b'], 6: [] });
  });

  test('none may be left', () => {
    const choice = choose('block', [candidate('a', [])]);
    expect(choice).toMatchObject({ byFamily: {}, why: 'block: a=no (it is a) -> none' });
    expect(choose('block', []).inOrder.hosts).toEqual({ 4: [], 6: [] });
  });

  test('families are no matter for what acts on something else', () => {
    const choice = choose('lock', [account], false);
    expect(choice).toMatchObject({
      first: 'account',
      why: 'lock: account=yes (passwd) -> account',
    });
    expect(choice.inOrder.others).toEqual(['account']);
    expect(choose('lock', [], false).first).toBeUndefined();
  });
});

describe('an answer', () => {
  const hostsOnly = candidate('a', [4, 6], { prefixes: false });
  const choices = new Map([
    ['block', choose('block', [hostsOnly, candidate('b', [4])])],
    ['lock', choose('lock', [account], false)],
  ]);
  const probes = ['a', 'b', 'account'].map((driver) => ({
    driver,
    instance: { driver, settings: {} },
  }));
  const choosing = createChoosing(choices, probes);
  const [a, b, locks] = probes.map(({ instance }) => instance);

  test('names what carries it out, and what else could', () => {
    const host = choosing.choose('block', target('203.0.113.7'));
    expect(host).toMatchObject({ instance: a, others: [b] });
    expect(choosing.choose('block', target('203.0.113.7'))).toBe(host);
    expect(choosing.choose('block', target('2001:db8::7'))).toMatchObject({
      instance: a,
      others: [],
    });
    expect(choosing.choose('block', target('203.0.113.0/24'))).toMatchObject({
      instance: b,
      others: [],
      hostsOnly: false,
    });
    const user = choosing.choose('lock', { kind: 'user', text: 'eve' });
    expect(user).toMatchObject({ instance: locks, others: [] });
  });

  test('says when there is something for single addresses only', () => {
    expect(choosing.choose('block', target('2001:db8::/48'))).toMatchObject({
      instance: undefined,
      hostsOnly: true,
    });
  });

  test('to what nobody knows is nothing', () => {
    const nothing = choosing.choose('dance', target('203.0.113.7'));
    expect(nothing).toEqual({ others: [], why: 'dance is not known' });
    expect(choosing.firstFor('dance')).toEqual([]);
  });

  test('lists what can come first', () => {
    expect(new Set(choosing.firstFor('block'))).toEqual(new Set([a, b]));
    expect(choosing.firstFor('lock')).toEqual([locks]);
  });
});
