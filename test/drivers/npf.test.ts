import { describe, expect, test } from 'vitest';
import { createCarrier } from '../../agent/engine/carry-out.ts';
import { npf } from '../../platform/bsd/npf.ts';
import { enforcementOf, readShow } from '../../platform/bsd/npf-reading.ts';
import type { AddressTarget } from '../../platform/target.ts';
import { addressSamples, driverContract, effects, targets } from '../contract/driver-contract.ts';
import { createSimMachine } from '../sim/machine.ts';
import { type Npf, type NpfTable, simulate, stateOf } from '../sim/npfctl.ts';
import { createQuickMachine, type QuickMachine } from '../sim/quick-machine.ts';

type Type = NpfTable['type'];

const wanted = ['block in final from <ar_exec>', 'block out final to <ar_exec>'];
const passing = ['pass stateful out final all', 'pass in final all'];

function configuration(type: Type, rules: readonly string[] = [...wanted, ...passing]): Npf {
  return {
    active: true,
    tables: { ar_exec: { type, entries: [] }, theirs: { type: 'lpm', entries: [] } },
    groups: [{ head: 'group default', rules: [...rules] }],
  };
}

function machine(type: Type, rules?: readonly string[]): QuickMachine {
  const at = createQuickMachine('netbsd10', { npfctl: simulate });
  at.parts['npf'] = configuration(type, rules);
  return at;
}

const driver = (type: Type, table = 'ar_exec') => npf.make({ table, type });
const carrierOf = (at: QuickMachine, type: Type) => {
  const memories: string[] = [];
  const carrier = createCarrier(driver(type), at.run, (found) => {
    for (const { target } of found) memories.push(target.text);
  });
  return { carrier, memories };
};
const listed = (at: QuickMachine) =>
  at.call(['npfctl', 'table', 'ar_exec', 'list']).stdout.trimEnd().split('\n').sort();

/** What lies within each other a table of type lpm does not hold, in whatever order. */
const { nested: _nested, ...apart } = addressSamples(true);
const lpmSamples = {
  ...apart,
  // It lies within 128.0.0.0/1.
  odd: apart.odd.filter(({ text }) => text !== '255.255.255.254'),
};

describe.each([
  ['ipset', addressSamples(false)],
  ['lpm', lpmSamples],
] as const)('a table of npf of type %s', (type, samples) => {
  driverContract<AddressTarget>({
    name: 'keeps the contract',
    kind: npf,
    settings: { table: 'ar_exec', type },
    samples,
    machine: async () => machine(type),
    dump: async ({ exec }) => {
      const lists = ['ar_exec', 'theirs'].map((name) => exec(['npfctl', 'table', name, 'list']));
      return [await exec(['npfctl', 'show']), ...(await Promise.all(lists))].join('');
    },
    plantForeign: async ({ exec }) => {
      await exec(['npfctl', 'table', 'theirs', 'add', '203.0.113.7']);
      await exec(['npfctl', 'table', 'theirs', 'add', '198.51.100.0/24']);
    },
    damages: {},
  });
});

describe('the steps of npf', () => {
  test('take one address each, after one look', async () => {
    const at = machine('lpm');
    const { carrier, memories } = carrierOf(at, 'lpm');
    const two = effects(targets(['203.0.113.7', '2001:db8::/32']));
    await carrier.apply(two);
    expect(at.ran).toEqual([
      'npfctl table ar_exec list',
      'npfctl show',
      'npfctl table ar_exec add 203.0.113.7',
      'npfctl table ar_exec add 2001:db8::/32',
    ]);
    expect(memories).toEqual(['203.0.113.7', '2001:db8::/32']);
    const from = at.ran.length;
    await carrier.revert(two.map((effect) => ({ ...effect, memory: {} })));
    expect(at.ran.slice(from)).toEqual([
      'npfctl show',
      'npfctl table ar_exec list',
      'npfctl table ar_exec list',
      'npfctl table ar_exec rem 203.0.113.7',
      'npfctl table ar_exec rem 2001:db8::/32',
    ]);
  });

  test('never take out the prefix that an address lies in', async () => {
    const at = machine('lpm');
    at.call(['npfctl', 'table', 'ar_exec', 'add', '10.1.0.0/16']);
    const { carrier } = carrierOf(at, 'lpm');
    const [one] = effects(targets(['10.1.2.3']));
    expect(await carrier.revert([{ ...one, memory: {} } as never])).toMatchObject([
      { result: 'done' },
    ]);
    expect(listed(at)).toEqual(['10.1.0.0/16']);
    // Without a look that is what would have come of it.
    at.call(['npfctl', 'table', 'ar_exec', 'rem', '10.1.2.3']);
    expect(listed(at)).toEqual(['']);
  });

  test('leave alone what somebody else put in, and say so', async () => {
    const at = machine('lpm');
    at.call(['npfctl', 'table', 'ar_exec', 'add', '203.0.113.7']);
    at.call(['npfctl', 'table', 'ar_exec', 'add', '10.1.0.0/16']);
    const { carrier } = carrierOf(at, 'lpm');
    const all = effects(targets(['203.0.113.7', '10.1.2.3', '203.0.113.8']));
    expect((await carrier.apply(all)).map(({ target, result }) => [target.text, result])).toEqual([
      ['203.0.113.7', 'pre-existing'],
      ['10.1.2.3', 'pre-existing'],
      ['203.0.113.8', 'done'],
    ]);
    expect(listed(at)).toEqual(['10.1.0.0/16', '203.0.113.7', '203.0.113.8']);
  });

  test('know an address that is listed with its length', async () => {
    const at = machine('lpm');
    at.call(['npfctl', 'table', 'ar_exec', 'replace', '-'], '203.0.113.7\n2001:db8::7\n');
    const reading = await carrierOf(at, 'lpm').carrier.inspect();
    const texts = reading.known ? reading.effects.map(({ target }) => target.text) : [];
    expect(texts.sort()).toEqual(['2001:db8::7', '203.0.113.7']);
  });

  test('take no prefix where the table is of type ipset', async () => {
    const { carrier } = carrierOf(machine('ipset'), 'ipset');
    expect(await carrier.apply(effects(targets(['198.51.100.0/24'])))).toMatchObject([
      { result: 'failed', why: 'single addresses only can be acted on here, no prefixes' },
    ]);
  });
});

describe('whether npf blocks what is in the table', () => {
  async function usability(at: QuickMachine, table?: string) {
    const one = driver('lpm', table);
    const answers = [];
    for (const step of one.probe.steps) answers.push(await at.run(step));
    return one.probe.read(answers);
  }

  test.each(['ipset', 'lpm'] as const)(
    'is settled with the type of the table: %s',
    async (type) => {
      expect(await usability(machine(type))).toEqual({
        usable: true,
        why: `table <ar_exec> of type ${type}`,
        families: [4, 6],
        settled: { table: 'ar_exec', type },
      });
    },
  );

  test.each([
    [passing, 'no rule blocks what comes from table <ar_exec>'],
    [['block in from <ar_exec>', ...passing], 'wins over "block in from <ar_exec>"'],
    [[...passing, ...wanted], '"pass in final all" wins over "block in final from <ar_exec>"'],
    [['block out final to <ar_exec>'], 'no rule blocks what comes from'],
    [['block in final from <theirs>'], 'no rule blocks what comes from'],
    [['pass in final from <ar_exec>'], 'no rule blocks what comes from'],
  ])('is told by the rules, and what is missing: %j', async (rules, why) => {
    const told = await usability(machine('lpm', rules));
    expect(told).toMatchObject({ usable: false, families: [] });
    expect(told.why).toMatch(/^not enforced: /);
    expect(told.why).toContain(why);
    expect(told.why).toContain('npf.conf needs "block in final from <ar_exec>"');
  });

  test.each([
    [['block in final family inet4 from <ar_exec>'], [4]],
    [['block in final family inet6 from <ar_exec>'], [6]],
    [['block final from { <theirs>, <ar_exec> }'], [4, 6]],
    [['block return in final on wm0 from <ar_exec>'], [4, 6]],
    [
      ['block in from <ar_exec>', 'pass stateful out final all'],
      [4, 6],
    ],
    [
      ['pass in final proto tcp to 192.0.2.1 port 22', ...wanted],
      [4, 6],
    ],
  ] as const)('counts for a family: %j', async (rules, families) => {
    expect(await usability(machine('lpm', rules))).toMatchObject({ usable: true, families });
  });

  test('is not so while npf is not active, on whatever line that stands', async () => {
    const at = machine('lpm');
    stateOf(at.parts).active = false;
    expect((await usability(at)).why).toBe('not enforced: npf is not active');
    const old = { exitCode: 0, stderr: '', stdout: 'x\nFiltering:\tactive\nConfig:\tloaded\n' };
    expect(readShow(old)).toMatchObject({ active: true });
  });

  test('is not so without the table, or with one that is constant', async () => {
    expect((await usability(machine('lpm'), 'nosuch')).why).toBe(
      'there is no table <nosuch>; npf.conf needs "table <nosuch> type lpm"',
    );
    expect((await usability(machine('const'))).why).toContain('constant');
  });

  test.each([
    [{ euid: 1001 }, "cannot open '/dev/npf': Permission denied"],
    [{ unloaded: true }, "cannot open '/dev/npf': Device not configured"],
    [{ missing: ['npfctl'] }, 'npfctl is not installed'],
    [{ hang: ['npfctl'] }, 'took too long'],
  ])('cannot be told: %j', async (switches, why) => {
    const at = machine('lpm');
    at.switches = switches;
    expect(await usability(at)).toMatchObject({
      usable: false,
      why: expect.stringContaining(why),
    });
  });

  test('is asked before each block: none is made that would not act', async () => {
    const at = machine('lpm');
    const { carrier } = carrierOf(at, 'lpm');
    await carrier.apply(effects(targets(['203.0.113.7'])));
    stateOf(at.parts).active = false;
    expect(await carrier.apply(effects(targets(['203.0.113.8'])))).toMatchObject([
      { result: 'failed', why: 'not enforced: npf is not active' },
    ]);
    expect(listed(at)).toEqual(['203.0.113.7']);
    expect(await carrier.inspect()).toMatchObject({
      known: true,
      trouble: 'not enforced: npf is not active',
    });
  });

  test('is not judged by the rules of another group', () => {
    const groups = [['pass in final all'], ['block in final from <t>']];
    const shown = { active: true, tables: new Map([['t', 'lpm']]), groups };
    expect(enforcementOf(shown, 't').rules).toEqual(['block in final from <t>']);
  });
});

describe('doctor', () => {
  async function findings(at: QuickMachine) {
    const { diagnose } = driver('lpm');
    const answers = [];
    for (const step of diagnose?.steps ?? []) answers.push(await at.run(step));
    return diagnose?.read(answers).map(({ id, level }) => `${level} ${id}`);
  }

  test.each([
    [[...wanted, ...passing], []],
    [[wanted[0] ?? '', ...passing], ['note npf-one-way']],
    [passing, ['problem npf-not-enforced']],
    [['pass in final proto tcp to 192.0.2.1 port 22', ...wanted], ['warning npf-rules-in-front']],
    [
      ['block in final proto tcp from <ar_exec> to any port 22', wanted[1] ?? ''],
      ['warning npf-partial-rule'],
    ],
  ])('tells of %j', async (rules, found) => {
    expect(await findings(machine('lpm', rules))).toEqual(found);
  });
});

test('as processes, too, they block and let go', async () => {
  const at = await createSimMachine({
    system: 'netbsd10',
    tools: { npfctl: 'npfctl.ts' },
    parts: { npf: configuration('lpm') },
  });
  try {
    const carrier = createCarrier(driver('lpm'), at.run, () => {});
    const all = effects(targets(['203.0.113.7', '198.51.100.0/24']));
    expect(await carrier.apply(all)).toMatchObject(all.map(() => ({ result: 'done' })));
    expect(await at.exec(['npfctl', 'table', 'ar_exec', 'list'])).toBe(
      '198.51.100.0/24\n203.0.113.7\n',
    );
    const held = all.map((effect) => ({ ...effect, memory: {} }));
    expect(await carrier.revert(held)).toMatchObject(all.map(() => ({ result: 'done' })));
    expect(await at.exec(['npfctl', 'table', 'ar_exec', 'list'])).toBe('');
  } finally {
    await at.close();
  }
}, 30_000);
