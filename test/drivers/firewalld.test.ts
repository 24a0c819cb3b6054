import { describe, expect, test } from 'vitest';
import { stepText } from '../../agent/cli/steps.ts';
import { firewalld } from '../../platform/linux/firewalld.ts';
import type { DbusStep, Step, StepResult } from '../../platform/step.ts';
import { effects, targets } from '../contract/driver-contract.ts';
import { failed, said } from './show.ts';

const some = effects(targets(['203.0.113.7', '203.0.113.0/24', '2001:db8::7']));
const rules = firewalld.make({ mode: 'rules', zones: 'public work', priority: '-17373' });
const zone = firewalld.make({ mode: 'zone', zone: 'ar-exec', ipset4: 'ar-exec4', ipset6: '' });
/** As `--dry-run` prints it. */
const show = (steps: readonly Step[]): string => steps.map(stepText).join('\n');
const answer = (...values: readonly unknown[]): StepResult => said(JSON.stringify(values));
const one = (value: unknown): StepResult => answer([value]);

describe('the plan', () => {
  test('is a rule in every zone, by its own priority', () => {
    expect(show(rules.apply(some.slice(0, 1)))).toMatchInlineSnapshot(`
      "busctl call org.fedoraproject.FirewallD1 /org/fedoraproject/FirewallD1 org.fedoraproject.FirewallD1.zone addRichRule ssi public 'rule priority="-17373" family="ipv4" source address="203.0.113.7" drop' 0
      busctl call org.fedoraproject.FirewallD1 /org/fedoraproject/FirewallD1 org.fedoraproject.FirewallD1.zone addRichRule ssi work 'rule priority="-17373" family="ipv4" source address="203.0.113.7" drop' 0"
    `);
    expect(show(rules.revert(some.slice(2)))).toMatchInlineSnapshot(`
      "busctl call org.fedoraproject.FirewallD1 /org/fedoraproject/FirewallD1 org.fedoraproject.FirewallD1.zone removeRichRule ss public 'rule priority="-17373" family="ipv6" source address="2001:db8::7" drop'
      busctl call org.fedoraproject.FirewallD1 /org/fedoraproject/FirewallD1 org.fedoraproject.FirewallD1.zone removeRichRule ss work 'rule priority="-17373" family="ipv6" source address="2001:db8::7" drop'"
    `);
  });

  test('is an entry for a host where there is an ipset, and a source for everything else', () => {
    expect(show(zone.apply(some))).toMatchInlineSnapshot(`
      "busctl call org.fedoraproject.FirewallD1 /org/fedoraproject/FirewallD1 org.fedoraproject.FirewallD1.ipset addEntry ss ar-exec4 203.0.113.7
      busctl call org.fedoraproject.FirewallD1 /org/fedoraproject/FirewallD1 org.fedoraproject.FirewallD1.zone addSource ss ar-exec 203.0.113.0/24
      busctl call org.fedoraproject.FirewallD1 /org/fedoraproject/FirewallD1 org.fedoraproject.FirewallD1.zone addSource ss ar-exec 2001:db8::7"
    `);
    expect(show(zone.revert(some))).toMatchInlineSnapshot(`
      "busctl call org.fedoraproject.FirewallD1 /org/fedoraproject/FirewallD1 org.fedoraproject.FirewallD1.ipset removeEntry ss ar-exec4 203.0.113.7
      busctl call org.fedoraproject.FirewallD1 /org/fedoraproject/FirewallD1 org.fedoraproject.FirewallD1.zone removeSource ss ar-exec 203.0.113.0/24
      busctl call org.fedoraproject.FirewallD1 /org/fedoraproject/FirewallD1 org.fedoraproject.FirewallD1.zone removeSource ss ar-exec 2001:db8::7"
    `);
  });

  test('fills an empty ipset at once', () => {
    const [step] = zone.apply(effects(targets(['203.0.113.7', '203.0.113.8'])));
    expect((step as DbusStep).first).toEqual({
      ifEmpty: { member: 'getEntries', signature: 's', args: ['ar-exec4'] },
      call: {
        member: 'setEntries',
        signature: 'sas',
        args: ['ar-exec4', ['203.0.113.7', '203.0.113.8']],
      },
    });
  });

  test('gives every call of a batch its time', () => {
    const [few] = rules.apply(some) as [DbusStep];
    const many = effects(
      targets(Array.from({ length: 500 }, (_, index) => `10.0.${index >> 8}.${index & 255}`)),
    );
    const [lots] = rules.apply(many) as [DbusStep];
    expect(lots.calls).toHaveLength(1_000);
    expect((lots.deadlineMs ?? 0) - (few.deadlineMs ?? 0)).toBe(994 * 100);
  });
});

describe('the probe', () => {
  const { probe } = firewalld.make(firewalld.defaults);
  const running = answer(['1.3.3'], ['RUNNING'], [true], [true]);
  const root = answer(['public'], []);
  const active = one({ external: { interfaces: ['eth1'] }, 'ar-exec': { sources: ['ipset:x'] } });
  const dropping = one({ target: 'DROP', sources: ['ipset:ar-exec4', 'ipset:ar-exec6'] });
  const set4 = one(['', '', '', 'hash:ip', {}, []]);
  const set6 = one(['', '', '', 'hash:ip', { family: 'inet6', maxelem: '9' }, []]);
  const read = (...answers: StepResult[]) => probe.read(answers);

  test('takes the zone that was made for it, with its ipsets', () => {
    expect(read(running, root, active, dropping, set4, set6)).toEqual({
      usable: true,
      why: 'firewalld 1.3.3, zone ar-exec with ar-exec4 and ar-exec6',
      families: [4, 6],
      settled: { mode: 'zone', zone: 'ar-exec', ipset4: 'ar-exec4', ipset6: 'ar-exec6' },
    });
  });

  test.each([
    ['is no source of the zone', dropping, one({ target: 'DROP' })],
    ['is of the other family', set4, one(['', '', '', 'hash:ip', { family: 'inet6' }, []])],
    ['forgets by itself', set4, one(['', '', '', 'hash:ip', { timeout: '60' }, []])],
    ['is of another kind', set4, one(['', '', '', 'hash:mac', {}, []])],
    ['is not there', set4, failed('INVALID_IPSET: ar-exec4')],
  ])('leaves an ipset alone that %s', (_, instead, by) => {
    const answers = [running, root, active, dropping, set4, set6].map((each) =>
      each === instead ? by : each,
    );
    expect(probe.read(answers).settled?.['ipset4']).toBe('');
  });

  test.each([
    ['lets in', one({ target: 'default' })],
    ['is not there', failed('INVALID_ZONE: ar-exec')],
    ['cannot be asked for (before 0.9)', failed('Unknown method: getZoneSettings2')],
  ])('takes rules in the zones that are in use where the zone %s', (_, settings) => {
    expect(read(running, root, active, settings, set4, set6)).toEqual({
      usable: true,
      why: 'firewalld 1.3.3, rich rules in ar-exec external public',
      families: [4, 6],
      settled: { mode: 'rules', zones: 'ar-exec external public', priority: '-17373' },
    });
  });

  test('acts on the families that firewalld acts on', () => {
    const only4 = answer(['1.3.3'], ['RUNNING'], [true], [false]);
    expect(read(only4, root, active, dropping, set4, set6).families).toEqual([4]);
  });

  test('says what is in the way', () => {
    const gone = { failure: 'missing', stdout: '', stderr: 'no D-Bus on /x' } as const;
    const why = (...answers: StepResult[]) => read(...answers).why;
    expect(why(gone, gone, gone, gone, gone, gone)).toBe('firewalld does not run (no D-Bus on /x)');
    expect(why(answer(['1.3.3'], ['FAILED'], [true], [true]))).toMatch('state FAILED');
    expect(why(running, failed('NotAuthorizedException: not authorized'))).toMatch(
      'not authorized',
    );
    expect(why(running, root, said('?'), failed('INVALID_ZONE'))).toMatch('makes no sense');
    expect(why()).toMatch('makes no sense');
  });
});

describe('rules', () => {
  const ours = (text: string, family = 4): string =>
    `rule priority="-17373" family="ipv${family}" source address="${text}" drop`;
  const inUse = one({ public: { interfaces: ['eth0'] }, work: { sources: ['192.0.2.1'] } });
  const nft = said('{"nftables":[{"metainfo":{}},{"table":{"family":"inet","name":"firewalld"}}]}');
  const read = (lists: StepResult, rest: readonly StepResult[] = [inUse, one('public')]) =>
    rules.inspect.read([lists, ...rest, one('nftables'), nft]);

  test('are ours by their priority and all the rest, in part where a zone lacks them', () => {
    const lists = answer(
      [
        [
          ours('203.0.113.7'),
          ours('2001:db8::/48', 6),
          'rule family="ipv4" source address="203.0.113.8" drop',
          'rule priority="-17373" family="ipv4" source address="203.0.113.9" accept',
          'rule priority="-17373" family="ipv4" source address="203.0.113.9" service name="ssh" drop',
        ],
      ],
      [[ours('2001:db8::/48', 6), ours('198.51.100.7')]],
    );
    expect(read(lists)).toMatchObject({
      known: true,
      effects: [
        { target: { text: '203.0.113.7' }, partial: true },
        { target: { text: '2001:db8::/48' } },
        { target: { text: '198.51.100.7' }, partial: true },
      ],
      foreign: [],
      trouble: undefined,
    });
  });

  test('are all there where one of the zones is gone', () => {
    expect(read(answer([[ours('203.0.113.7')]], []))).toMatchObject({
      known: true,
      effects: [{ target: { text: '203.0.113.7' } }],
    });
  });

  test('are not known where no zone is left, or an answer makes no sense', () => {
    expect(read(answer([], []))).toMatchObject({ known: false });
    expect(read(answer([[7]], [[]]))).toMatchObject({ known: false });
    expect(read(failed('gone'))).toEqual({ known: false, why: 'firewalld: gone' });
  });

  test('say so when a zone is in use that has none', () => {
    const more = one({ public: {}, external: {} });
    expect(read(answer([[]], [[]]), [more, one('public')])).toMatchObject({
      trouble: expect.stringMatching('zone external is in use'),
    });
    expect(read(answer([[]], [[]]), [inUse, one('home')])).toMatchObject({
      trouble: expect.stringMatching('zone home is in use'),
    });
  });

  test('say so when the kernel has no table of firewalld', () => {
    const read = (backend: string, tables: StepResult) =>
      rules.inspect.read([answer([[]], [[]]), inUse, one('public'), one(backend), tables]);
    const none = said('{"nftables":[{"table":{"family":"inet","name":"other"}}]}');
    expect(read('nftables', none)).toMatchObject({ trouble: expect.stringMatching('restart it') });
    expect(read('iptables', none)).toMatchObject({ trouble: undefined });
    const noNft = { failure: 'missing', stdout: '', stderr: '' } as const;
    expect(read('nftables', noNft)).toMatchObject({ trouble: undefined });
  });
});

test.each([
  ['rules', rules],
  ['a zone', zone],
])('the kernel is asked when firewalld has answered: %s', (_, { inspect }) => {
  const kinds = (steps: readonly Step[] = []) => steps.map(({ kind }) => kind);
  expect(new Set(kinds(inspect.steps))).toEqual(new Set(['dbus']));
  expect(kinds(inspect.more?.([one('an answer')]))).toEqual(['command']);
  expect(kinds(inspect.more?.([failed('gone')]))).toEqual([]);
});

describe('the zone', () => {
  const nft = said('{"nftables":[{"table":{"family":"inet","name":"firewalld"}}]}');
  const read = (settings: StepResult, entries: StepResult) =>
    zone.inspect.read([settings, one('nftables'), entries, nft]);

  test('and its ipset hold ours, and nothing else that is an address', () => {
    const sources = ['ipset:ar-exec4', '203.0.113.0/24', '2001:db8::7', '00:00:5E:00:53:01'];
    expect(read(one({ target: 'DROP', sources }), one(['203.0.113.7']))).toMatchObject({
      known: true,
      effects: effects(targets(['203.0.113.0/24', '2001:db8::7', '203.0.113.7'])),
    });
  });

  test.each([
    ['lets in', one({ target: 'default', sources: ['ipset:ar-exec4'] }), /does not drop/],
    ['lost its ipset', one({ target: 'DROP' }), /ipset ar-exec4 is no source/],
    ['is gone', failed('INVALID_ZONE: ar-exec'), /INVALID_ZONE/],
  ])('is not known when it %s', (_, settings, why) => {
    expect(read(settings, one([]))).toMatchObject({
      known: false,
      why: expect.stringMatching(why),
    });
  });

  test('is not known when its ipset is not', () => {
    const settings = one({ target: 'DROP', sources: ['ipset:ar-exec4'] });
    expect(read(settings, failed('INVALID_IPSET'))).toMatchObject({ known: false });
  });
});
