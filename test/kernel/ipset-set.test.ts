/** Sets of an administrator's, filled beside what the administrator has in them. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createCarrier } from '../../agent/engine/carry-out.ts';
import type { Remembered } from '../../agent/engine/examine.ts';
import type { Effect, Settings } from '../../platform/driver.ts';
import { ipsetSet } from '../../platform/linux/ipset-set.ts';
import { driverContract, effects, type Machine, targets } from '../contract/driver-contract.ts';
import { requires } from '../requirements.ts';
import { kernelMachine } from './machine.ts';
import { rulesAct } from './set-packets.ts';
import { dumpSets } from './xtables.ts';

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

/** How the two sets can have been made, what the probe makes of that, and what is tried with them. */
const kinds = {
  'of nets, with timeouts and comments': [
    'hash:net timeout 0 comment',
    { marks: 'comment', expiry: 'kernel', prefixes: 'yes' },
    undefined,
  ],
  'of nets, with counters and a timeout for all': [
    'hash:net timeout 60 counters comment',
    { marks: 'comment', expiry: 'kernel', prefixes: 'yes' },
    undefined,
  ],
  'of addresses, with comments': [
    'hash:ip comment',
    { marks: 'comment', expiry: 'agent', prefixes: 'no' },
    hosts,
  ],
  'of addresses, with timeouts': [
    'hash:ip timeout 60',
    { marks: 'none', expiry: 'kernel', prefixes: 'no' },
    hosts,
  ],
  'of nets, plain': ['hash:net', { marks: 'none', expiry: 'agent', prefixes: 'yes' }, undefined],
} as const;
type Kind = (typeof kinds)[keyof typeof kinds];

const own: Settings = { ipv4: 'blocked4', ipv6: 'blocked6', mark: 'ar-exec' };

const makeSets = async (exec: Machine['exec'], options: string) => {
  const lines = [4, 6].map((family) => {
    const [type, ...rest] = options.split(' ');
    return `create blocked${family} ${type} family inet${family === 6 ? '6' : ''} ${rest.join(' ')}`;
  });
  await exec(['ipset', 'restore'], `${lines.join('\n')}\n`);
};

requires(
  'root',
  'namespaces',
  'ip',
  'ipset',
  'iptables-nft',
)('sets of an administrator', () => {
  for (const [name, [options, settled, samples]] of Object.entries(kinds)) {
    driverContract({
      name,
      kind: ipsetSet,
      settings: { ...own, ...settled },
      ...(samples === undefined ? {} : { samples }),
      machine: async () => {
        const machine = await kernelMachine();
        await makeSets(machine.exec, options);
        return machine;
      },
      dump: dumpSets,
      plantForeign: async (machine) => {
        // Without marks, what is in the very set cannot be told from ours by looking at it.
        const lines = [
          'create blocked4-of-others hash:ip family inet timeout 0',
          'add blocked4-of-others 203.0.113.7',
          ...(settled.marks === 'none'
            ? []
            : ['add blocked4 192.0.2.9', 'add blocked6 2001:db8:f::9 comment "by hand"']),
        ];
        await machine.exec(['ipset', 'restore'], `${lines.join('\n')}\n`);
      },
      damages: {},
    });
  }

  let machine: Machine;
  const ipset = (...lines: string[]) => machine.exec(['ipset', 'restore'], `${lines.join('\n')}\n`);
  const probed = async (settings: Settings = own) => {
    const { probe } = ipsetSet.make({ ...ipsetSet.defaults, ...settings });
    const results = [];
    for (const step of probe.steps) results.push(await machine.run(step));
    return probe.read(results);
  };
  /** As the agent does it: with what the probe found, and a journal that remembers. */
  const createAgent = async () => {
    const { settled } = await probed();
    const memories = new Map<string, Remembered['memory']>();
    const carrier = createCarrier(ipsetSet.make(settled ?? own), machine.run, (found) => {
      for (const { target, memory } of found) memories.set(target.text, memory);
    });
    const remembered = (all: readonly Effect[]) =>
      all.map((effect) => ({ ...effect, memory: memories.get(effect.target.text) }));
    return { carrier, remembered };
  };

  beforeEach(async () => {
    machine = await kernelMachine();
  });
  afterEach(() => machine.close());

  test.each(Object.entries(kinds))('the probe sees how they are made: %s', async (_, kind) => {
    await makeSets(machine.exec, kind[0]);
    expect(await probed()).toMatchObject({
      usable: true,
      why: expect.stringContaining('set blocked4 and blocked6; no rule asks for set blocked4'),
      families: [4, 6],
      settled: kind[1],
    });
    for (const [tool, set] of [
      ['iptables-nft', 'blocked4'],
      ['ip6tables-nft', 'blocked6'],
    ] as const) {
      const match = ['-m', 'set', '--match-set', set, 'src', '-j', 'DROP'];
      await machine.exec([tool, '-A', 'INPUT', ...match]);
    }
    expect(await probed()).toMatchObject({ usable: true, why: 'set blocked4 and blocked6' });
  });

  test('two sets of two kinds come to what both can', async () => {
    await ipset(
      'create blocked4 hash:net timeout 0 comment',
      'create blocked6 hash:ip family inet6',
    );
    expect(await probed()).toMatchObject({
      families: [4, 6],
      settled: { marks: 'none', expiry: 'agent', prefixes: 'no' },
    });
    const { carrier, remembered } = await createAgent();
    const all = effects(targets(['203.0.113.7', '2001:db8::7']), 600_000);
    expect(await carrier.apply(all)).toMatchObject([{ result: 'done' }, { result: 'done' }]);
    expect(await machine.exec(['ipset', 'save', 'blocked4'])).toContain('203.0.113.7 timeout 0');
    await carrier.revert(remembered(all));
    expect(await carrier.inspect()).toMatchObject({ effects: [] });
  });

  test('the probe says what is missing and how to make it', async () => {
    expect(await probed()).toMatchObject({
      usable: false,
      why: expect.stringContaining(
        'there is no set blocked4: ipset create blocked4 hash:net family inet timeout 0 comment makes one',
      ),
    });
    await ipset('create blocked6 hash:ip family inet6 comment');
    expect(await probed()).toMatchObject({
      usable: true,
      families: [6],
      why: expect.stringContaining('there is no set blocked4'),
    });
    expect(await probed({ ipv4: '', ipv6: '' })).toMatchObject({
      usable: false,
      why: 'no set is named in <ipset_set>',
    });
  });

  test.each([
    ['of addresses and ports', 'hash:ip,port', 'is of type hash:ip,port'],
    ['of the other family', 'hash:ip family inet6', 'is not for IPv4'],
    ['of a map', 'bitmap:ip range 203.0.113.0/24', 'is of type bitmap:ip'],
    ['with a mask', 'hash:ip netmask 24', 'netmask'],
  ])('a set %s is refused', async (_, declaration, why) => {
    await ipset(`create blocked4 ${declaration}`);
    expect(await probed({ ...own, ipv6: '' })).toMatchObject({
      usable: false,
      why: expect.stringContaining(why),
    });
  });

  test('doctor is told which set no rule asks for', async () => {
    await makeSets(machine.exec, 'hash:ip');
    const match = ['-m', 'set', '--match-set', 'blocked6', 'src', '-j', 'DROP'];
    await machine.exec(['ip6tables-nft', '-A', 'INPUT', ...match]);
    const { diagnose } = ipsetSet.make(own);
    const results = [];
    for (const step of diagnose?.steps ?? []) results.push(await machine.run(step));
    expect(diagnose?.read(results)).toMatchObject([
      { id: 'set-without-rule', level: 'problem', what: expect.stringContaining('blocked4') },
    ]);
  });

  const everyKind = Object.entries<Kind>(kinds);

  test.each(everyKind)("an administrator's own entry stays: %s", async (_, [options]) => {
    await makeSets(machine.exec, options);
    const comment = options.includes('comment') ? ' comment "by \' hand"' : '';
    await ipset('add blocked4 203.0.113.7', `add blocked4 203.0.113.8${comment}`);
    const before = await dumpSets(machine);
    const { carrier, remembered } = await createAgent();
    const all = effects(targets(['203.0.113.7', '203.0.113.8', '203.0.113.9']), 600_000);
    const carried = new Map((await carrier.apply(all)).map((one) => [one.target.text, one.result]));
    expect(Object.fromEntries(carried)).toEqual({
      '203.0.113.7': 'pre-existing',
      '203.0.113.8': 'pre-existing',
      '203.0.113.9': 'done',
    });
    const longer = remembered(all).map((one) => ({ ...one, expiresInMs: 1_200_000 }));
    await carrier.apply(longer.map((one) => ({ ...one, standing: true })));
    expect(await carrier.revert(remembered(all))).toMatchObject(
      all.map(() => ({ result: 'done' })),
    );
    expect(await dumpSets(machine)).toBe(before);
  });

  test.each(everyKind.filter(([, [options]]) => options.includes('comment')))(
    'an entry that took the place of ours is neither changed nor removed: %s',
    async (_, [options]) => {
      await makeSets(machine.exec, options);
      const { carrier } = await createAgent();
      const [one] = effects(targets(['203.0.113.7']), 600_000);
      if (one === undefined) throw new Error('no effect');
      await carrier.apply([one]);
      await machine.exec(['ipset', 'flush', 'blocked4']);
      await ipset('add blocked4 203.0.113.7');
      const before = await dumpSets(machine);
      const longer = { ...one, expiresInMs: 1_200_000, standing: true };
      expect(await carrier.apply([longer])).toMatchObject([{ result: 'pre-existing' }]);
      expect(await carrier.revert([one])).toMatchObject([{ result: 'done' }]);
      expect(await dumpSets(machine)).toBe(before);
    },
  );

  test('an exception of the administrator is no block, and stays', async () => {
    await makeSets(machine.exec, 'hash:net comment');
    await ipset('add blocked4 203.0.113.0/24', 'add blocked4 203.0.113.7 nomatch');
    const before = await dumpSets(machine);
    const { carrier } = await createAgent();
    const [carried] = await carrier.apply(effects(targets(['203.0.113.7'])));
    expect(carried).toMatchObject({ result: 'failed', why: /already added/ });
    expect(await dumpSets(machine)).toBe(before);
  });

  test('a thousand addresses without marks are looked at together', async () => {
    await makeSets(machine.exec, 'hash:ip timeout 0');
    const { settled } = await probed();
    let started = 0;
    const carrier = createCarrier(ipsetSet.make(settled ?? own), (step) => {
      started += 1;
      return machine.run(step);
    });
    const carried = await carrier.apply(effects(hosts.many(1_000), 600_000));
    expect(carried.filter(({ result }) => result !== 'done')).toEqual([]);
    expect(started).toBe(4);
  });

  test('a set that is full takes no more, and says so', async () => {
    await ipset('create blocked4 hash:ip comment maxelem 2');
    const { carrier } = await createAgent();
    const all = effects(targets(['203.0.113.1', '203.0.113.2', '203.0.113.3']));
    const carried = await carrier.apply(all);
    expect(carried.map(({ result }) => result).sort()).toEqual(['done', 'done', 'failed']);
    expect(carried.find(({ result }) => result === 'failed')?.why).toContain('is full');
  });

  test('a set that was taken away took away what was in it', async () => {
    await makeSets(machine.exec, 'hash:ip timeout 0 comment');
    const { carrier } = await createAgent();
    const all = effects(targets(['203.0.113.7', '2001:db8::7']));
    await carrier.apply(all);
    await machine.exec(['ipset', 'destroy']);
    expect(await carrier.inspect()).toMatchObject({ known: true, effects: [] });
    expect(await carrier.revert(all)).toMatchObject([{ result: 'done' }, { result: 'done' }]);
    const [carried] = await carrier.apply(all);
    expect(carried).toMatchObject({ result: 'failed', why: /does not exist/ });
  });
});

rulesAct('ipset-set', 'ipset', {
  make: async (exec) => {
    await makeSets(exec, 'hash:net timeout 0 comment');
    for (const [tool, set] of [
      ['iptables-nft', 'blocked4'],
      ['ip6tables-nft', 'blocked6'],
    ] as const) {
      await exec([tool, '-A', 'INPUT', '-m', 'set', '--match-set', set, 'src', '-j', 'DROP']);
    }
  },
  driver: ipsetSet.make({ ...own, marks: 'comment', expiry: 'kernel', prefixes: 'yes' }),
});
