import { describe, expect, test } from 'vitest';
import type { Reading } from '../../platform/driver.ts';
import { ipset } from '../../platform/linux/ipset.ts';
import type { StepResult } from '../../platform/step.ts';
import { effects, targets } from '../contract/driver-contract.ts';
import { failed, said, show } from './show.ts';

const driver = ipset.make(ipset.defaults);
const names = ['ar-exec-hosts4', 'ar-exec-nets4', 'ar-exec-hosts6', 'ar-exec-nets6'] as const;

const saved = (...rules: string[]) => said(['*mangle', ...rules, 'COMMIT', ''].join('\n'));
const drop = (set: string) => `-A ar-exec -m set --match-set ${set} src -j DROP`;
const chain = [':ar-exec - [0:0]', '-A INPUT -j ar-exec', '-A FORWARD -j ar-exec'];
const hosts4 =
  'create ar-exec-hosts4 hash:ip family inet hashsize 1024 maxelem 1048576 timeout 0 bucketsize 12 initval 0x1\n';
const nets6 =
  'create ar-exec-nets6 hash:net family inet6 hashsize 1024 maxelem 1048576 timeout 0\n';

interface Answers {
  readonly four?: StepResult;
  readonly six?: StepResult;
  readonly list?: StepResult;
  readonly sets?: Partial<Record<(typeof names)[number], StepResult>>;
}

function read({ four = saved(), six = saved(), list, sets = {} }: Answers): Reading {
  const there = names.filter((name) => sets[name] !== undefined);
  const first = [
    four,
    six,
    said('TCP6: inuse 1\n'),
    list ?? said(there.map((name) => `${name}\n`).join('')),
  ];
  const more = driver.inspect.more?.(first) ?? [];
  const contents = more.map((step) => {
    const [, name = ''] = step.kind === 'command' ? step.args : [];
    return sets[name as (typeof names)[number]] ?? failed('no such set');
  });
  return driver.inspect.read([...first, ...contents]);
}

function known(answers: Answers) {
  const reading = read(answers);
  if (!reading.known) throw new Error(reading.why);
  return reading;
}

describe('plans', () => {
  test('apply: a look at the rules, then the entries', () => {
    const [a, b, c] = targets(['203.0.113.7', '10.0.0.0/8', '2001:db8::/32']);
    if (!a || !b || !c) throw new Error('no targets');
    const plan = driver.apply([
      { target: a, expiresInMs: 1_200 },
      { target: b },
      { target: c, expiresInMs: 1e12, standing: true },
    ]);
    expect(show(plan)).toBe(`$ iptables-restore --noflush -w 5
*mangle
-C INPUT -j ar-exec
-C FORWARD -j ar-exec
-C ar-exec -m set --match-set ar-exec-hosts4 src -j DROP
-C ar-exec -m set --match-set ar-exec-nets4 src -j DROP
COMMIT
$ ip6tables-restore --noflush -w 5
*mangle
-C INPUT -j ar-exec
-C FORWARD -j ar-exec
-C ar-exec -m set --match-set ar-exec-nets6 src -j DROP
COMMIT
$ ipset restore -exist
add ar-exec-hosts4 203.0.113.7 timeout 2
add ar-exec-nets4 10.0.0.0/8 timeout 0
add ar-exec-nets6 2001:db8::/32 timeout 2147483
`);
  });

  test('an effect that is about to end still has an end', () => {
    expect(show(driver.apply(effects(targets(['203.0.113.7']), 0)))).toContain('timeout 1\n');
  });

  test('a full batch is one write', () => {
    const longest = targets(['2001:db8:1111:2222:3333:4444:5555:0/112'])[0];
    if (!longest) throw new Error('no target');
    const batch = Array.from({ length: driver.traits.batchSize }, () => ({
      target: longest,
      expiresInMs: 1e12,
    }));
    const entries = driver.apply(batch).at(-1);
    expect(entries?.kind === 'command' && entries.stdin?.length).toBeLessThan(96 * 1024);
  });

  test('revert', () => {
    expect(
      show(driver.revert(effects(targets(['203.0.113.7', '2001:db8::/32'])))),
    ).toBe(`$ ipset restore -exist
del ar-exec-hosts4 203.0.113.7
del ar-exec-nets6 2001:db8::/32
`);
  });

  test('set up from nothing: sets before the rules that ask for them', () => {
    expect(show(known({}).setup(['ar-exec-nets4', 'ar-exec-hosts6']))).toBe(`$ ipset restore -exist
create ar-exec-nets4 hash:net family inet maxelem 1048576 timeout 0
create ar-exec-hosts6 hash:ip family inet6 maxelem 1048576 timeout 0
$ iptables-restore --noflush -w 5
*mangle
-N ar-exec
-I INPUT 1 -j ar-exec
-I FORWARD 1 -j ar-exec
-A ar-exec -m set --match-set ar-exec-nets4 src -j DROP
COMMIT
$ ip6tables-restore --noflush -w 5
*mangle
-N ar-exec
-I INPUT 1 -j ar-exec
-I FORWARD 1 -j ar-exec
-A ar-exec -m set --match-set ar-exec-hosts6 src -j DROP
COMMIT
`);
  });

  test('mend only what lacks', () => {
    const reading = known({ four: saved(...chain), sets: { 'ar-exec-hosts4': said(hosts4) } });
    expect(reading.containers).toEqual([]);
    expect(show(reading.setup(['ar-exec-hosts4']))).toBe(`$ iptables-restore --noflush -w 5
*mangle
-A ar-exec -m set --match-set ar-exec-hosts4 src -j DROP
COMMIT
`);
  });

  test('mend and fill, in one go: what stands and what lacks is both made sure of', () => {
    const reading = known({
      four: saved(':ar-exec - [0:0]', '-A INPUT -j ar-exec', drop('ar-exec-hosts4')),
      sets: { 'ar-exec-hosts4': said(hosts4) },
    });
    const wanted = effects(targets(['203.0.113.7', '2001:db8::7']), 1_200);
    expect(
      show(reading.rebuild?.(['ar-exec-hosts4', 'ar-exec-hosts6'], wanted) ?? []),
    ).toBe(`$ ipset restore -exist
create ar-exec-hosts4 hash:ip family inet maxelem 1048576 timeout 0
create ar-exec-hosts6 hash:ip family inet6 maxelem 1048576 timeout 0
add ar-exec-hosts4 203.0.113.7 timeout 2
add ar-exec-hosts6 2001:db8::7 timeout 2
$ iptables-restore --noflush -w 5
*mangle
-C INPUT -j ar-exec
-I FORWARD 1 -j ar-exec
-C ar-exec -m set --match-set ar-exec-hosts4 src -j DROP
COMMIT
$ ip6tables-restore --noflush -w 5
*mangle
-N ar-exec
-I INPUT 1 -j ar-exec
-I FORWARD 1 -j ar-exec
-A ar-exec -m set --match-set ar-exec-hosts6 src -j DROP
COMMIT
`);
  });

  test.each([
    ['made by others with room for less', hosts4.replace(/maxelem \d+/, 'maxelem 65536')],
    ['made by others to count', hosts4.replace(/timeout 0/, 'timeout 0 counters')],
    ['with a timeout of its own', hosts4.replace(/timeout 0/, 'timeout 600')],
  ])('fill a set that was %s, and do not make it', (_, header) => {
    const reading = known({ four: saved(...chain), sets: { 'ar-exec-hosts4': said(header) } });
    const steps = reading.rebuild?.(['ar-exec-hosts4'], effects(targets(['203.0.113.7'])));
    expect(show(steps?.slice(0, 1) ?? [])).toBe(`$ ipset restore -exist
add ar-exec-hosts4 203.0.113.7 timeout 0
`);
  });

  test('fill what stands whole: no look at its rules', () => {
    const reading = known({
      four: saved(...chain, drop('ar-exec-hosts4')),
      sets: { 'ar-exec-hosts4': said(hosts4) },
    });
    expect(
      show(reading.rebuild?.([], effects(targets(['203.0.113.7']))) ?? []),
    ).toBe(`$ ipset restore -exist
add ar-exec-hosts4 203.0.113.7 timeout 0
`);
  });

  test('only sets that are there are asked for', () => {
    const more = (list: StepResult) =>
      show(driver.inspect.more?.([said(''), said(''), said(''), list]) ?? []);
    expect(more(said('somebodys\nar-exec-nets6\n'))).toBe('$ ipset save ar-exec-nets6\n');
    expect(more(failed('Operation not permitted'))).toBe('');
  });

  test('teardown: rules, chain, sets', () => {
    const reading = known({
      four: saved(...chain, drop('ar-exec-hosts4')),
      sets: { 'ar-exec-hosts4': said(hosts4), 'ar-exec-nets6': said(nets6) },
    });
    expect(show(reading.teardown())).toBe(`$ iptables-restore --noflush -w 5
*mangle
-D ar-exec -m set --match-set ar-exec-hosts4 src -j DROP
-D INPUT -j ar-exec
-D FORWARD -j ar-exec
-X ar-exec
COMMIT
$ ipset restore -exist
destroy ar-exec-hosts4
destroy ar-exec-nets6
`);
  });
});

describe('readings', () => {
  test('entries with what is left of them', () => {
    const reading = known({
      four: saved(...chain, drop('ar-exec-hosts4')),
      sets: {
        'ar-exec-hosts4': said(
          `${hosts4}add ar-exec-hosts4 203.0.113.7 timeout 99\nadd ar-exec-hosts4 203.0.113.8 timeout 0\n`,
        ),
        'ar-exec-nets6': said(`${nets6}add ar-exec-nets6 ::0.5.0.0/112 timeout 5\n`),
      },
    });
    expect(reading.containers).toEqual(['ar-exec-hosts4']);
    expect(reading.effects).toMatchObject([
      { target: { text: '203.0.113.7' }, expiresInMs: 99_000 },
      { target: { text: '203.0.113.8' } },
      { target: { text: '::5:0/112' }, expiresInMs: 5_000 },
    ]);
    expect(reading.effects[1]).not.toHaveProperty('expiresInMs');
  });

  test.each([
    ['another type', hosts4.replace('hash:ip', 'hash:net')],
    ['another family', hosts4.replace('inet', 'inet6')],
    ['no timeouts', hosts4.replace(' timeout 0', '')],
  ])('a set of %s is not a container', (_, create) => {
    const four = saved(...chain, drop('ar-exec-hosts4'));
    expect(known({ four, sets: { 'ar-exec-hosts4': said(create) } }).containers).toEqual([]);
  });

  test.each([
    'add ar-exec-nets6 2001:db8::/32 timeout 0 nomatch',
    'add ar-exec-nets6 2001:db8::7 timeout 0',
  ])('not ours, and kept with its set: %s', (entry) => {
    const reading = known({
      six: saved(...chain, drop('ar-exec-nets6')),
      sets: { 'ar-exec-nets6': said(`${nets6}${entry}\n`) },
    });
    expect(reading.effects).toEqual([]);
    expect(reading.teardown()).toEqual([]);
  });

  test.each([
    ['no list of names', { list: failed('Operation not permitted') }],
    ['a listed set that cannot be read', { list: said('ar-exec-nets4\n') }],
    ['a set that is not listed, and that a rule asks for', { four: saved(drop('ar-exec-nets4')) }],
    ['a listed set without content', { sets: { 'ar-exec-nets4': said('') } }],
    ['no table', { six: failed() }],
    [
      'a tool that hangs',
      { sets: { 'ar-exec-nets4': { ...failed(), failure: 'timeout' as const } } },
    ],
  ])('unknown, not absent: %s', (_, answers) => {
    expect(read(answers)).toMatchObject({ known: false, why: expect.stringMatching(/./) });
  });
});

describe('probe', () => {
  const version = said('iptables v1.8.9 (nf_tables)\n');
  const ipv6 = said('TCP6: inuse 1\n');
  const noSet = failed(
    "iptables-restore v1.8.9 (nf_tables): Set ar-exec-hosts doesn't exist.\n",
    2,
  );
  const probe = (trial: StepResult, list: StepResult) =>
    driver.probe.read([saved(), saved(), ipv6, version, trial, trial, list]);

  test('a missing set shows that sets are understood', () => {
    expect(probe(noSet, said(''))).toMatchObject({ usable: true, families: [4, 6] });
  });

  test('no set match', () => {
    const why = "iptables-restore: Couldn't load match `set'";
    expect(probe(failed("Couldn't load match `set'", 2), said(''))).toMatchObject({
      usable: false,
      why,
    });
  });

  test('no ipset', () => {
    expect(probe(noSet, { failure: 'missing', stdout: '', stderr: 'ipset is not there' })).toEqual({
      usable: false,
      why: 'ipset: ipset is not there',
      families: [],
    });
  });
});
