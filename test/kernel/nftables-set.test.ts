/** Sets of an administrator's, filled beside what the administrator has in them. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createCarrier } from '../../agent/engine/carry-out.ts';
import type { Settings } from '../../platform/driver.ts';
import { nftablesSet } from '../../platform/linux/nftables-set.ts';
import { driverContract, effects, type Machine, targets } from '../contract/driver-contract.ts';
import { requires } from '../requirements.ts';
import { kernelMachine } from './machine.ts';
import { rulesAct } from './set-packets.ts';

const hosts = {
  few: targets(['203.0.113.7', '2001:db8::7', '198.51.100.9', '2001:db8:1::9']),
  many: (count: number) =>
    targets(
      Array.from({ length: count }, (_, index) => {
        const place = (index + 1_000).toString(16);
        return index % 2 === 0 ? `10.9.${index >> 8}.${index & 255}` : `2001:db8:9::${place}`;
      }),
    ),
  odd: targets(['0.0.0.1', '255.255.255.254', '::2', '::102:304', '64:ff9b::102:304']),
};
const prefixes = {
  ...hosts,
  few: targets(['203.0.113.7', '2001:db8::7', '198.51.100.0/24', '2001:db8:1::/48']),
  odd: targets([
    '0.0.0.1',
    '64.0.0.0/2',
    '10.9.8.6/31',
    '10.9.8.8/30',
    '240.0.0.0/4',
    '::2',
    '::5:0/112',
    '8000::/1',
  ]),
};

/** How the two sets can have been made, what the probe makes of that, and what is tried with them. */
const kinds = {
  'with timeouts': ['flags timeout;', { expiry: 'kernel', prefixes: 'no' }, hosts],
  'with a timeout for all': [
    'flags timeout; timeout 1h;',
    { expiry: 'kernel-always', prefixes: 'no' },
    hosts,
  ],
  'without timeouts': ['', { expiry: 'agent', prefixes: 'no' }, hosts],
  'of intervals': ['flags interval, timeout;', { expiry: 'kernel', prefixes: 'yes' }, prefixes],
  'of intervals without timeouts': [
    'flags interval;',
    { expiry: 'agent', prefixes: 'yes' },
    prefixes,
  ],
} as const;

function tableWith(options: string): string {
  const set = (family: 4 | 6) => `set blocked${family} { type ipv${family}_addr; ${options} }`;
  return `table inet fence { ${set(4)}; ${set(6)};
    chain in { type filter hook input priority 0; ip saddr @blocked4 drop; ip6 saddr @blocked6 drop; }
  }`;
}

const own: Settings = { ipv4: 'inet fence blocked4', ipv6: 'inet fence blocked6', mark: 'ar-exec' };

/** With a line for each element. */
const dump = async (machine: Machine) => {
  const text = await machine.exec(['nft', '-s', 'list', 'ruleset']);
  return text
    .replaceAll(/ timeout \S+( expires [0-9a-z]+)?/g, ' timeout N')
    .replaceAll(/elements = \{ ([\s\S]*?) \}/g, (_, all: string) =>
      ['', ...all.split(/,\s+/).sort(), ''].join('\n'),
    );
};

requires(
  'root',
  'namespaces',
  'ip',
  'nft',
)('sets of an administrator', () => {
  for (const [name, [options, settled, samples]] of Object.entries(kinds)) {
    driverContract({
      name,
      kind: nftablesSet,
      settings: { ...own, ...settled },
      samples,
      machine: async () => {
        const machine = await kernelMachine();
        await machine.exec(['nft', '-f', '-'], tableWith(options));
        return machine;
      },
      dump,
      plantForeign: async (machine) => {
        const elements = [
          'add element inet fence blocked4 { 192.0.2.9, 192.0.2.10 comment "by hand" }',
          'add element inet fence blocked6 { 2001:db8:f::9 comment "ar-exec is not this" }',
          'add table ip other',
          'add set ip other blocked4 { type ipv4_addr; elements = { 203.0.113.7 } }',
        ];
        await machine.exec(['nft', '-f', '-'], elements.join('\n'));
      },
      damages: {},
    });
  }

  let machine: Machine;
  const nft = (...lines: string[]) => machine.exec(['nft', '-f', '-'], `${lines.join('\n')}\n`);
  const probed = async (settings: Settings = own) => {
    const { probe } = nftablesSet.make({ ...nftablesSet.defaults, ...settings });
    const results = [];
    for (const step of probe.steps) results.push(await machine.run(step));
    return probe.read(results);
  };
  /** As the agent does it: with what the probe found. */
  const carrierFor = async () => {
    const { settled } = await probed();
    return createCarrier(nftablesSet.make(settled ?? own), machine.run);
  };

  beforeEach(async () => {
    machine = await kernelMachine();
  });
  afterEach(() => machine.close());

  test.each(Object.entries(kinds))('the probe sees how they are made: %s', async (_, kind) => {
    await nft(tableWith(kind[0]));
    expect(await probed()).toMatchObject({
      usable: true,
      why: 'set inet fence blocked4 and inet fence blocked6',
      families: [4, 6],
      settled: kind[1],
    });
  });

  test('the probe says what is missing and how to make it', async () => {
    expect(await probed()).toMatchObject({
      usable: false,
      why: expect.stringContaining(
        "there is no set inet fence blocked4: nft add set inet fence blocked4 '{ type ipv4_addr; flags timeout; }' makes one",
      ),
    });
    await nft('add table inet fence', 'add set inet fence blocked4 { type ipv4_addr; }');
    expect(await probed()).toMatchObject({
      usable: true,
      families: [4],
      why: expect.stringMatching(
        /no rule of table inet fence asks for set inet fence blocked4.*there is no set inet fence blocked6/,
      ),
    });
    expect(await probed({ ipv4: '', ipv6: '' })).toMatchObject({
      usable: false,
      why: 'no set is named in <nftables_set>',
    });
  });

  test.each([
    ['of addresses and ports', 'type ipv4_addr . inet_service;', 'not of type ipv4_addr'],
    ['of the other family', 'type ipv6_addr;', 'not of type ipv4_addr'],
    ['that is constant', 'type ipv4_addr; flags constant; elements = { 192.0.2.1 };', 'constant'],
    ['that merges', 'type ipv4_addr; flags interval; auto-merge;', 'auto-merge'],
  ])('a set %s is refused', async (_, declaration, why) => {
    await nft('add table inet fence', `add set inet fence blocked4 { ${declaration} }`);
    expect(await probed({ ...own, ipv6: '' })).toMatchObject({
      usable: false,
      why: expect.stringContaining(why),
    });
  });

  test('a set made with typeof will do, and rules that ask in another way count', async () => {
    await nft(
      'add table inet fence',
      'add set inet fence blocked4 { typeof ip saddr; flags timeout; }',
      'add chain inet fence in { type filter hook input priority 0; }',
      'add rule inet fence in ip saddr != @blocked4 accept',
    );
    expect(await probed({ ...own, ipv6: '' })).toMatchObject({
      usable: true,
      why: 'set inet fence blocked4',
    });
  });

  test('doctor is told which set no rule asks for', async () => {
    await nft(tableWith(''), 'flush chain inet fence in');
    await nft('add rule inet fence in ip6 saddr @blocked6 drop');
    const { diagnose } = nftablesSet.make(own);
    const results = [];
    for (const step of diagnose?.steps ?? []) results.push(await machine.run(step));
    expect(diagnose?.read(results)).toMatchObject([
      { id: 'set-without-rule', level: 'problem', what: expect.stringContaining('blocked4') },
    ]);
  });

  test.each(Object.entries(kinds))(
    "an administrator's own element stays: %s",
    async (_, [options]) => {
      await nft(tableWith(options));
      await nft('add element inet fence blocked4 { 203.0.113.7, 203.0.113.8 comment "mine" }');
      const before = await dump(machine);
      const carrier = await carrierFor();
      const all = effects(targets(['203.0.113.7', '203.0.113.8', '203.0.113.9']), 600_000);
      expect((await carrier.apply(all)).map(({ result }) => result)).toEqual([
        'pre-existing',
        'pre-existing',
        'done',
      ]);
      expect(await carrier.inspect()).toMatchObject({
        effects: [{ target: { text: '203.0.113.9' } }],
      });
      expect(await carrier.revert(all)).toMatchObject(all.map(() => ({ result: 'done' })));
      expect(await dump(machine)).toBe(before);
    },
  );

  test.each(Object.entries(kinds))(
    'an element that took the place of ours is neither changed nor removed: %s',
    async (_, [options]) => {
      await nft(tableWith(options));
      const carrier = await carrierFor();
      const [one] = effects(targets(['203.0.113.7']), 600_000);
      if (one === undefined) throw new Error('no effect');
      await carrier.apply([one]);
      // As by a reload of the administrator's ruleset, which has the address in it.
      await nft('flush set inet fence blocked4', 'add element inet fence blocked4 { 203.0.113.7 }');
      const before = await dump(machine);
      const longer = { ...one, expiresInMs: 1_200_000, standing: true };
      expect(await carrier.apply([longer])).toMatchObject([{ result: 'pre-existing' }]);
      expect(await dump(machine)).toBe(before);
      expect(await carrier.revert([one])).toMatchObject([{ result: 'done' }]);
      expect(await dump(machine)).toBe(before);
    },
  );

  test('what lies in a range of the administrator is blocked already', async () => {
    await nft(tableWith('flags interval, timeout;'));
    await nft('add element inet fence blocked4 { 203.0.113.0/24, 198.51.100.4-198.51.100.20 }');
    const carrier = await carrierFor();
    const all = effects(targets(['203.0.113.7', '198.51.100.8/30', '198.51.100.0/29']));
    const carried = await carrier.apply(all);
    expect(carried.map(({ result }) => result)).toEqual(['pre-existing', 'pre-existing', 'failed']);
    expect(carried[2]?.why).toContain('interval overlaps with an existing one');
  });

  test('what overlaps with a block of ours is refused, and that one stays', async () => {
    await nft(tableWith('flags interval, timeout;'));
    const carrier = await carrierFor();
    await carrier.apply(effects(targets(['203.0.113.7'])));
    const [carried] = await carrier.apply(effects(targets(['203.0.113.0/24'])));
    expect(carried).toMatchObject({ result: 'failed', why: /interval overlaps/ });
    expect(await carrier.inspect()).toMatchObject({
      effects: [{ target: { text: '203.0.113.7' } }],
    });
  });

  test('a prefix for a set of single addresses is refused before any tool is asked', async () => {
    await nft(tableWith('flags timeout;'));
    const carrier = await carrierFor();
    const all = effects(targets(['203.0.113.0/24', '203.0.113.7']));
    expect(await carrier.apply(all)).toMatchObject([
      { result: 'failed', why: 'single addresses only can be acted on here, no prefixes' },
      { result: 'done' },
    ]);
  });

  test('a set that is full takes no more, and says so', async () => {
    await nft('add table inet fence', 'add set inet fence blocked4 { type ipv4_addr; size 2; }');
    const carrier = await carrierFor();
    const all = effects(targets(['203.0.113.1', '203.0.113.2', '203.0.113.3']));
    const carried = await carrier.apply(all);
    expect(carried.filter(({ result }) => result === 'done')).toHaveLength(2);
    expect(carried.find(({ result }) => result === 'failed')?.why).toContain('Too many open files');
  });

  test('a set that was taken away took away what was in it', async () => {
    await nft(tableWith('flags timeout;'));
    const carrier = await carrierFor();
    const all = effects(targets(['203.0.113.7', '2001:db8::7']));
    await carrier.apply(all);
    await nft('delete table inet fence');
    expect(await carrier.inspect()).toMatchObject({ known: true, effects: [] });
    expect(await carrier.revert(all)).toMatchObject([{ result: 'done' }, { result: 'done' }]);
    const [carried] = await carrier.apply(all);
    expect(carried).toMatchObject({ result: 'failed', why: /No such file or directory/ });
  });

  test('a set that came to merge neighbours says nothing certain of ours any more', async () => {
    await nft(tableWith('flags interval;'));
    const carrier = await carrierFor();
    await carrier.apply(effects(targets(['203.0.113.7'])));
    await nft('delete table inet fence', tableWith('flags interval; auto-merge;'));
    await nft('add element inet fence blocked4 { 203.0.113.7 comment "ar-exec" }');
    expect(await carrier.inspect()).toMatchObject({ known: false, why: /auto-merge/ });
  });
});

rulesAct('nftables-set', 'nft', {
  make: async (exec) => {
    await exec(['nft', '-f', '-'], tableWith('flags interval, timeout;'));
  },
  driver: nftablesSet.make({ ...own, expiry: 'kernel', prefixes: 'yes' }),
});
