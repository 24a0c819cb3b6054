import { describe, expect, test } from 'vitest';
import { createCarrier } from '../../agent/engine/carry-out.ts';
import { ipfw } from '../../platform/bsd/ipfw.ts';
import type { AddressTarget } from '../../platform/target.ts';
import {
  driverContract,
  effects,
  type Machine,
  type Samples,
  targets,
} from '../contract/driver-contract.ts';
import { simulate } from '../sim/ipfw.ts';
import { createSimMachine } from '../sim/machine.ts';
import { createQuickMachine, type QuickMachine } from '../sim/quick-machine.ts';
import type { SimSystem } from '../sim/simulator.ts';
import { simulate as sysctl } from '../sim/sysctl.ts';

const driver = ipfw.make(ipfw.defaults);
const ours = [
  '00001 deny ip from table(ar_exec) to any // ar-exec',
  '00001 deny ip from any to table(ar_exec) // ar-exec',
];

const tools = { ipfw: simulate, sysctl };

function machine(system: SimSystem = 'freebsd15'): QuickMachine {
  const made = createQuickMachine(system, tools);
  made.parts['sysctl'] = { 'net.inet.ip.fw.enable': '1', 'net.inet6.ip6.fw.enable': '1' };
  return made;
}

/** The addresses of ::/96 are not for ipfw: "Use IPv4 instead of v4-compatible". */
const samples: Samples<AddressTarget> = {
  few: targets(['203.0.113.7', '2001:db8::7', '198.51.100.0/24', '2001:db8:1::/48']),
  many: (count) =>
    targets(
      Array.from(
        { length: count },
        (_, index) =>
          [
            `172.16.${index >> 8}.${index & 255}`,
            `2001:db8::${(index + 4_096).toString(16)}:1`,
            `10.${index >> 8}.${index & 255}.0/24`,
            `2001:db8:${(index + 4_096).toString(16)}::/48`,
          ][index % 4] as string,
      ),
    ),
  odd: targets([
    '0.0.0.1',
    '255.255.255.254',
    '2001:db8:0:0:1::',
    '64:ff9b::102:304',
    '128.0.0.0/1',
    '10.9.8.6/31',
    '8000::/1',
    '2001:db8::2/127',
  ]),
  nested: targets(['10.1.0.0/16', '10.1.2.0/24', '10.1.2.3', '2001:db8::/32', '2001:db8::7']),
};

const handMade = [
  ['table', 'spammers', 'create', 'type', 'addr'],
  ['table', 'spammers', 'add', '203.0.113.7', '5'],
  ['add', '2', 'deny', 'ip', 'from', 'table(spammers)', 'to', 'any'],
  ['add', '100', 'allow', 'ip', 'from', '192.0.2.1', 'to', 'any', '//', 'ar-exec'],
  ['add', '65000', 'allow', 'ip', 'from', 'any', 'to', 'any'],
];

async function plant({ exec }: Pick<Machine, 'exec'>, lines: readonly string[][]) {
  for (const line of lines) await exec(['ipfw', ...line]);
}

describe.each(['freebsd13', 'freebsd15'] as const)('a table of ipfw on %s', (system) => {
  driverContract({
    name: 'keeps the contract',
    kind: ipfw,
    samples,
    refused: targets(['::102:304'])[0] as AddressTarget,
    machine: async () => machine(system),
    dump: async ({ exec }) =>
      `${await exec(['ipfw', 'list'])}${await exec(['ipfw', 'table', 'all', 'list'])}`,
    plantForeign: (at) => plant(at, handMade),
    damages: {
      'the rules are flushed': ({ exec }) =>
        exec(['ipfw', '-q', 'flush']).then(() => plant({ exec }, handMade.slice(2))),
      'one rule is gone': async ({ exec }) => {
        await exec(['ipfw', '-q', 'delete', '1']);
        const [, second = ''] = ours;
        await exec(['ipfw', '-q', 'add', ...second.split(' ')]);
      },
      'rules and table are gone': async ({ exec }) => {
        await exec(['ipfw', '-q', 'delete', '1']);
        await exec(['ipfw', 'table', 'ar_exec', 'destroy']);
      },
    },
  });
});

/** Everything that a carrier runs from here on. */
function since(at: QuickMachine, from: number): string[] {
  return at.ran
    .slice(from)
    .filter((line) => !/^(sysctl|ipfw list$|ipfw table \S+ (info|list))/.test(line));
}

const rulesOf = (at: QuickMachine) => at.call(['ipfw', 'list']).stdout.trimEnd().split('\n');
const attackers = effects(targets(['203.0.113.7', '2001:db8::7', '198.51.100.0/24']));

async function usability(at: QuickMachine, one = driver) {
  const answers = [];
  for (const step of one.probe.steps) answers.push(await at.run(step));
  return one.probe.read(answers);
}

describe('the steps of ipfw', () => {
  test('are these, for the first block and for the next', async () => {
    const at = machine();
    const carrier = createCarrier(driver, at.run);
    await carrier.apply(attackers);
    expect(since(at, 0)).toEqual([
      'ipfw table ar_exec create type addr missing',
      'ipfw -q add 1 deny ip from table(ar_exec) to any // ar-exec',
      'ipfw -q add 1 deny ip from any to table(ar_exec) // ar-exec',
      'ipfw list 1',
      'ipfw -q table ar_exec add 203.0.113.7 0 2001:db8::7 0 198.51.100.0/24 0',
    ]);
    const from = at.ran.length;
    await carrier.apply(effects(targets(['203.0.113.8'])));
    await carrier.revert(attackers);
    expect(at.ran.slice(from)).toEqual([
      'sysctl -n net.inet.ip.fw.enable',
      'sysctl -n net.inet6.ip6.fw.enable',
      'ipfw list 1',
      'ipfw -q table ar_exec add 203.0.113.8 0',
      'ipfw -q table ar_exec delete 203.0.113.7 2001:db8::7 198.51.100.0/24',
    ]);
    expect(rulesOf(at).slice(0, 2)).toEqual(ours);
  });

  test('take another table and another number from the settings', async () => {
    const at = machine();
    const one = ipfw.make({ table: 'fence', rule: '50' });
    await plant(at, handMade);
    await createCarrier(one, at.run).apply(attackers);
    expect(rulesOf(at).slice(0, 3)).toEqual([
      '00002 deny ip from table(spammers) to any',
      '00050 deny ip from table(fence) to any // ar-exec',
      '00050 deny ip from any to table(fence) // ar-exec',
    ]);
  });

  test('never flush, and delete no number but their own', async () => {
    const at = machine();
    await plant(at, handMade);
    const carrier = createCarrier(driver, at.run);
    await carrier.apply(attackers);
    await carrier.revert(attackers);
    await carrier.teardown();
    expect(at.ran.filter((line) => line.includes('flush'))).toEqual([]);
    expect(at.ran.filter((line) => line.includes(' delete ') && !line.includes(' table '))).toEqual(
      ['ipfw -q delete 1'],
    );
  });

  test('find out at once that the rules were flushed, and put them back', async () => {
    const at = machine();
    const carrier = createCarrier(driver, at.run);
    await carrier.apply(attackers);
    at.call(['ipfw', 'flush']);
    expect(await carrier.apply(effects(targets(['203.0.113.8'])))).toMatchObject([
      { result: 'done' },
    ]);
    expect(rulesOf(at).slice(0, 2)).toEqual(ours);
  });
});

describe('what is not ours', () => {
  test('is left alone where it has our number; then our rules stay, without effect', async () => {
    const at = machine();
    const theirs = ['add', '1', 'deny', 'ip', 'from', 'table(1)', 'to', 'any'];
    await plant(at, [theirs]);
    const carrier = createCarrier(driver, at.run);
    await carrier.apply(attackers);
    await carrier.revert(attackers);
    await carrier.teardown();
    expect(rulesOf(at).slice(0, 3)).toEqual(['00001 deny ip from table(1) to any', ...ours]);
    expect(at.call(['ipfw', 'table', 'ar_exec', 'list']).stdout).toBe('');
  });

  test('keeps the table that it asks for', async () => {
    const at = machine();
    const carrier = createCarrier(driver, at.run);
    await carrier.apply(attackers);
    await plant(at, [['add', '500', 'count', 'ip', 'from', 'table(ar_exec)', 'to', 'any']]);
    await carrier.revert(attackers);
    await carrier.teardown();
    expect(rulesOf(at)[0]).toBe('00500 count ip from table(ar_exec) to any');
    expect(at.ran.filter((line) => line.endsWith('destroy'))).toEqual([]);
  });
});

describe('a block that would not act', () => {
  const off4 = { 'net.inet.ip.fw.enable': '0', 'net.inet6.ip6.fw.enable': '1' };
  const off6 = { 'net.inet.ip.fw.enable': '1', 'net.inet6.ip6.fw.enable': '0' };
  const off = { 'net.inet.ip.fw.enable': '0', 'net.inet6.ip6.fw.enable': '0' };

  test.each([
    [off, [], 'not enforced: ipfw is turned off (net.inet.ip.fw.enable is not 1)'],
    [off4, [6], /not enforced: ipfw is turned off \(net.inet.ip.fw.enable is not 1\)/],
    [off6, [4], /not enforced for IPv6: .*net.inet6.ip6.fw.enable is not 1/],
    [{ 'net.inet.ip.fw.enable': '1' }, [4], /not enforced for IPv6/],
    [{}, [], 'the kernel has no ipfw loaded'],
  ])('is told of by the probe: %j', async (values, families, why) => {
    const at = machine();
    at.parts['sysctl'] = values;
    expect(await usability(at)).toEqual({
      usable: families.length > 0,
      families,
      why: typeof why === 'string' ? why : expect.stringMatching(why),
    });
  });

  test.each([
    [{ unloaded: true }, /Protocol not available/],
    [{ euid: 1001 }, /socket: Operation not permitted/],
    [{ missing: ['ipfw'] }, /ipfw is not installed/],
    [{ hang: ['ipfw'] }, /timeout|took too long/],
  ])('nor can it be made: %j', async (switches, why) => {
    const at = machine();
    at.switches = switches;
    expect(await usability(at)).toMatchObject({
      usable: false,
      families: [],
      why: expect.stringMatching(why),
    });
  });

  test('is refused as soon as ipfw is turned off, and made when it is on again', async () => {
    const at = machine();
    const carrier = createCarrier(driver, at.run);
    await carrier.apply(attackers);
    const on = at.parts['sysctl'];
    at.parts['sysctl'] = off;
    const why = 'not enforced: ipfw is turned off (net.inet.ip.fw.enable is not 1)';
    const more = effects(targets(['203.0.113.8']));
    expect(await carrier.apply(more)).toMatchObject([{ result: 'failed', why }]);
    const reading = await carrier.inspect();
    expect(reading).toMatchObject({ known: true, trouble: why, effects: { length: 3 } });
    expect(reading.known && reading.setup(['ar_exec for IPv4'])).toEqual([]);
    expect(await carrier.revert(attackers.slice(0, 1))).toMatchObject([{ result: 'done' }]);
    at.parts['sysctl'] = on;
    expect(await carrier.apply(more)).toMatchObject([{ result: 'done' }]);
  });

  test('is seen where ipfw was turned off for IPv6 only', async () => {
    const at = machine();
    const carrier = createCarrier(driver, at.run);
    await carrier.apply(attackers);
    at.parts['sysctl'] = off6;
    expect(await carrier.inspect()).toMatchObject({
      containers: ['ar_exec for IPv4'],
      trouble: expect.stringContaining('not enforced for IPv6'),
    });
    const more = effects(targets(['203.0.113.8', '2001:db8::8']));
    expect(await carrier.apply(more.slice(0, 1))).toMatchObject([{ result: 'done' }]);
    expect(await carrier.apply(more.slice(1))).toMatchObject([{ result: 'failed' }]);
  });

  test('stands behind a rule that lets everything pass', async () => {
    const at = machine();
    await plant(at, [['add', '1', 'allow', 'ip', 'from', 'any', 'to', 'any']]);
    const why =
      'not enforced: rule "00001 allow ip from any to any" lets everything pass before rule 1';
    expect(await usability(at)).toEqual({ usable: false, families: [], why });
    expect(await createCarrier(driver, at.run).apply(attackers)).toMatchObject(
      attackers.map(() => ({ result: 'failed', why })),
    );
    expect(rulesOf(at)).not.toContain(ours[0]);
  });

  test('cannot be put into a table of something else', async () => {
    const at = machine();
    at.call(['ipfw', 'table', 'ar_exec', 'create', 'type', 'iface']);
    expect((await usability(at)).usable).toBe(false);
  });

  test('is not taken for one where the list of the table was cut short', async () => {
    const at = machine();
    const carrier = createCarrier(driver, at.run);
    await carrier.apply(attackers);
    const answers = [];
    for (const step of driver.inspect.steps) answers.push(await at.run(step));
    const [last] = answers.slice(-1);
    const short = { ...last, stdout: '203.0.113.7/32 0\n', stderr: '' };
    expect(driver.inspect.read([...answers.slice(0, -1), short])).toEqual({
      known: false,
      why: 'ipfw table ar_exec list: it changed while it was read',
    });
  });
});

describe('doctor', () => {
  async function findings(at: QuickMachine, one = driver) {
    const answers = [];
    for (const step of one.diagnose?.steps ?? []) answers.push(await at.run(step));
    return one.diagnose?.read(answers);
  }

  test('has nothing to tell where all is well', async () => {
    expect(await findings(machine())).toEqual([]);
  });

  test('names the rules by which packets pass before ours', async () => {
    const at = machine();
    await plant(at, handMade);
    const [found, ...rest] = (await findings(at, ipfw.make({ table: 'x', rule: '200' }))) ?? [];
    expect(rest).toEqual([]);
    expect(found).toMatchObject({ id: 'ipfw-rules-in-front', level: 'warning' });
    expect(found?.what).toBe(
      'Packets can pass by a rule of ipfw before those of ar-exec: "00100 allow ip from 192.0.2.1 to any // ar-exec".',
    );
  });

  test('says for whom ipfw is off', async () => {
    const at = machine();
    at.parts['sysctl'] = { 'net.inet.ip.fw.enable': '1', 'net.inet6.ip6.fw.enable': '0' };
    expect(await findings(at)).toMatchObject([
      { id: 'ipfw-off-for-family', remedy: 'sysctl net.inet6.ip6.fw.enable=1' },
    ]);
  });
});

test('as processes, too, they block and let go', async () => {
  const at = await createSimMachine({
    system: 'freebsd13',
    tools: { ipfw: 'ipfw.ts', sysctl: 'sysctl.ts' },
    parts: { sysctl: { 'net.inet.ip.fw.enable': '1', 'net.inet6.ip6.fw.enable': '1' } },
  });
  try {
    const carrier = createCarrier(driver, at.run);
    expect(await carrier.apply(attackers)).toMatchObject(attackers.map(() => ({ result: 'done' })));
    expect(await at.exec(['ipfw', 'table', 'ar_exec', 'list'])).toBe(
      '198.51.100.0/24 0\n203.0.113.7/32 0\n2001:db8::7/128 0\n',
    );
    expect(await carrier.revert(attackers)).toMatchObject(
      attackers.map(() => ({ result: 'done' })),
    );
    await carrier.teardown();
    expect(await at.exec(['ipfw', 'list'])).toBe('65535 allow ip from any to any\n');
  } finally {
    await at.close();
  }
}, 30_000);
