/** Both variants of iptables in use on one machine: a packet has to pass both, and each has its own rules. */
import { mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createCarrier } from '../../agent/engine/carry-out.ts';
import { createRunner } from '../../agent/system/runner.ts';
import type { DriverKind } from '../../platform/driver.ts';
import { ipset } from '../../platform/linux/ipset.ts';
import { iptables } from '../../platform/linux/iptables.ts';
import type { AddressTarget } from '../../platform/target.ts';
import { effects, targets } from '../contract/driver-contract.ts';
import { requires } from '../requirements.ts';
import { createHosts, type Hosts } from './hosts.ts';
import { type Inner, joinInner } from './inner.ts';
import { dumpTables, plantRules } from './xtables.ts';

const port = 7_009;
const kinds: readonly DriverKind<AddressTarget>[] = [iptables, ipset];
const cases = kinds.flatMap((kind) => [
  [kind.name, 'nft', 'legacy', kind] as const,
  [kind.name, 'legacy', 'nft', kind] as const,
]);

requires(
  'root',
  'namespaces',
  'ip',
  'socat',
  'ipset',
  'iptables-nft',
  'iptables-legacy',
)('both variants of iptables at once', () => {
  let hosts: Hosts;
  let inner: Inner;

  beforeEach(async () => {
    hosts = await createHosts();
    inner = await joinInner(hosts);
    await Promise.all([hosts.serve(port), inner.serve(port)]);
  });
  afterEach(async () => {
    await inner?.close();
    await hosts?.close();
  });

  const dump = (variant: string) =>
    dumpTables({ ...hosts, run: hosts.runner(createRunner()) }, variant);
  const reach = (from: string) =>
    Promise.all([hosts.connects(from, port), inner.connects(from, port)]);
  const blocked = ['203.0.113.7', '2001:db8::7'] as const;
  const others = ['203.0.113.8', '2001:db8::8'] as const;

  test.each(cases)(
    '%s with %s acts whatever rules of %s accept, and leaves them as they are',
    async (_, variant, other, kind) => {
      for (const tool of ['iptables', 'ip6tables']) {
        for (const table of ['filter', 'mangle']) {
          for (const hook of ['INPUT', 'FORWARD']) {
            await hosts.exec([`${tool}-${other}`, '-t', table, '-I', hook, '-j', 'ACCEPT']);
          }
        }
        // The administrator's own, in front of all others, in the variant that is used for blocks too.
        await hosts.exec([`${tool}-${variant}`, '-I', 'INPUT', '-j', 'ACCEPT']);
        await hosts.exec([`${tool}-${variant}`, '-I', 'FORWARD', '-j', 'ACCEPT']);
      }
      const before = await dump(other);
      const settings = { ...kind.defaults, variant };
      const carrier = createCarrier(kind.make(settings), hosts.runner(createRunner()));
      const block = effects(targets(blocked));
      expect(await Promise.all([...blocked, ...others].map(reach))).toEqual(
        Array.from({ length: 4 }, () => [true, true]),
      );
      expect(await carrier.apply(block)).toMatchObject([{ result: 'done' }, { result: 'done' }]);
      expect(await Promise.all([...blocked, ...others].map(reach))).toEqual([
        [false, false],
        [false, false],
        [true, true],
        [true, true],
      ]);
      expect(await dump(other)).toBe(before);
      await carrier.revert(block);
      await carrier.teardown();
      expect(await Promise.all(blocked.map(reach))).toEqual([
        [true, true],
        [true, true],
      ]);
      expect(await dump(other)).toBe(before);
    },
  );

  test.each(kinds)(
    '$name holds the same address in both, and each takes back its own',
    async (kind) => {
      const machine = { ...hosts, run: hosts.runner(createRunner()) };
      await plantRules(machine, 'nft');
      await plantRules(machine, 'legacy');
      const dumps = () => Promise.all([dump('nft'), dump('legacy')]);
      const planted = await dumps();
      const [one, two] = ['nft', 'legacy'].map((variant) =>
        createCarrier(kind.make({ ...kind.defaults, variant }), machine.run),
      ) as [ReturnType<typeof createCarrier>, ReturnType<typeof createCarrier>];
      const block = effects(targets(['203.0.113.7']));
      await one.apply(block);
      const nft = await dump('nft');
      await two.apply(block);
      expect(await dump('nft')).toBe(nft);
      await one.revert(block);
      expect(await two.inspect()).toMatchObject({ known: true });
      await two.revert(block);
      await two.teardown();
      await one.teardown();
      expect(await dumps()).toEqual(planted);
    },
  );

  test.each([
    ['nft', 'nf_tables'],
    ['legacy', 'legacy'],
  ])('what plain iptables is (here %s) is found out and recorded', async (variant, said) => {
    // As update-alternatives would have it.
    const folder = await mkdtemp(join(tmpdir(), 'ar-exec-alternatives-'));
    try {
      for (const tool of ['iptables', 'ip6tables']) {
        for (const job of ['', '-save', '-restore']) {
          const program = (
            await hosts.exec(['sh', '-c', `command -v ${tool}-${variant}${job}`])
          ).trim();
          await symlink(program, join(folder, `${tool}${job}`));
        }
      }
      const run = hosts.runner(
        createRunner({ folders: [folder, '/usr/sbin', '/usr/bin', '/sbin', '/bin'] }),
      );
      for (const kind of kinds) {
        const { probe } = kind.make(kind.defaults);
        const results = [];
        for (const step of probe.steps) results.push(await run(step));
        expect(probe.read(results)).toMatchObject({
          usable: true,
          why: expect.stringContaining(`(${said})`),
          settled: { variant, table: 'mangle' },
        });
      }
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
