/**
 * After a reboot the kernel is empty and the journal is full; a firewall restores what it had saved,
 * before the agent starts or after. What has time left is back for the time that is left, what is over
 * is recorded as over, and what was deleted since does not come back.
 */
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, expect, test } from 'vitest';
import { openJournal } from '../../agent/journal/journal.ts';
import type { ActionReply } from '../../agent/reply.ts';
import type { Machine } from '../contract/driver-contract.ts';
import { createEndpoint, type Endpoint } from '../crash/endpoint.ts';
import { type Facility, facilities } from '../crash/facilities.ts';
import { requires } from '../requirements.ts';
import { order } from '../unit/sample.ts';
import { amount, keepFigures } from './course.ts';

const wait = { timeout: 60_000, interval: 50 };
/** What a firewall restored may differ by from what is left (agent/engine/reconcile.ts). */
const toleranceMs = 5_000;
const figures: Record<string, number> = {};
afterAll(() => keepFigures('reboot', figures));

/** What a machine's own firewall saves and restores, and how it comes up with nothing. */
interface Firewall {
  save(machine: Machine): Promise<string>;
  restore(machine: Machine, saved: string): Promise<unknown>;
  clear(machine: Machine): Promise<unknown>;
}

const nft: Firewall = {
  save: async (machine) => `flush ruleset\n${await machine.exec(['nft', 'list', 'ruleset'])}`,
  restore: (machine, saved) => machine.exec(['nft', '-f', '-'], saved),
  clear: (machine) => machine.exec(['nft', 'flush', 'ruleset']),
};

const iptables = (variant: string): Firewall => ({
  save: (machine) => machine.exec([`iptables-${variant}-save`]),
  restore: (machine, saved) => machine.exec([`iptables-${variant}-restore`], saved),
  clear: async (machine) => {
    for (const name of ['filter', 'mangle', 'nat']) {
      for (const word of ['-F', '-X'])
        await machine.exec([`iptables-${variant}`, '-t', name, word]);
    }
  },
});

const firewalls: readonly [name: string, firewall: Firewall][] = [
  ['nftables', nft],
  ['iptables, nft variant', iptables('nft')],
  ['iptables, legacy variant', iptables('legacy')],
];

let endpoint: Endpoint;
let machine: Machine;
let folder: string;

const open = async (facility: Facility, before = async () => {}): Promise<void> => {
  endpoint = await createEndpoint({
    ...facility,
    plant: async (planted, at) => {
      machine = planted;
      folder = at;
      await facility.plant(planted, at);
      await before();
    },
  });
};
const ask = async (command: 'add' | 'delete', srcip: string, timeoutSeconds?: number) => {
  const asked = { command, response: 'firewall-drop', srcip, timeoutSeconds };
  expect(await endpoint.ask(asked)).toMatchObject({ ok: true });
};
const found = async () => (await endpoint.found()).map(({ target }) => target.text).sort();
const facilityOf = (name: string) => facilities.find((one) => one.name === name) as Facility;

for (const [name, firewall] of firewalls.slice(0, amount(2, firewalls.length))) {
  const facility = facilityOf(name);
  requires(
    'root',
    'namespaces',
    'ip',
    ...facility.needs,
  )(`${name} after a reboot`, () => {
    afterEach(() => endpoint.close());

    const endsOf = (live: readonly ActionReply[]) =>
      new Map(live.map(({ target, until }) => [target, until]));
    /** As they were told before the reboot. */
    let ends = endsOf([]);

    /** One without an end, one with time left, one that is over, one that was deleted after the saving. */
    const leave = async (): Promise<string> => {
      await open(facility);
      await endpoint.start();
      await ask('add', '203.0.113.20');
      await ask('add', '203.0.113.21', 600);
      await ask('add', '203.0.113.22', 3);
      await ask('add', '203.0.113.23', 600);
      const saved = await firewall.save(machine);
      await ask('delete', '203.0.113.23');
      const live = await endpoint.list();
      ends = endsOf(live);
      const over = live.find(({ target }) => target === '203.0.113.22');
      await endpoint.kill();
      await new Promise((resolve) => {
        setTimeout(resolve, Math.max(0, Date.parse(over?.until ?? '') - Date.now()) + 1);
      });
      await firewall.clear(machine);
      return saved;
    };
    const held = ['203.0.113.20', '203.0.113.21'];
    const isRight = async (withinMs: number): Promise<void> => {
      await expect.poll(found, wait).toEqual(held);
      const live = await endpoint.list();
      expect(live.map(({ target }) => target).sort()).toEqual(held);
      // The end that was promised before, and no time that was over by then comes back.
      const end = Date.parse(endsOf(live).get('203.0.113.21') ?? '');
      expect(end).toBe(Date.parse(ends.get('203.0.113.21') ?? ''));
      const [earliest, all, latest] = [Date.now(), await endpoint.found(), Date.now()];
      const left = all.find(({ target }) => target.text === '203.0.113.21')?.expiresInMs;
      if (left !== undefined) {
        expect(left).toBeLessThanOrEqual(end - earliest + withinMs);
        // The kernel may have told it in whole seconds.
        expect(left).toBeGreaterThanOrEqual(end - latest - withinMs - 1_000);
      }
      const states = endpoint.journal;
      await endpoint.stop();
      const ended = states().filter(({ state }) => state === 'reverted');
      expect(ended.map(({ target }) => target).sort()).toEqual(['203.0.113.22', '203.0.113.23']);
    };

    test('with an empty kernel', { timeout: 120_000 }, async () => {
      await leave();
      await endpoint.start();
      expect(await found()).toEqual(held);
      // Made anew: what a clock and a request take is all that can lie between.
      await isRight(1_000);
    });

    test('restored before the agent starts', { timeout: 120_000 }, async () => {
      const saved = await leave();
      await firewall.restore(machine, saved);
      await endpoint.start();
      expect(await found()).toEqual(held);
      await isRight(toleranceMs);
    });

    test('restored after the agent has started', { timeout: 120_000 }, async () => {
      const saved = await leave();
      await endpoint.start();
      await firewall.restore(machine, saved);
      await isRight(toleranceMs);
    });
  });
}

const many = 100_000;
const nftables = facilityOf('nftables');

requires(
  'root',
  'namespaces',
  'ip',
  'nft',
)(`${many} entries`, () => {
  afterEach(() => endpoint.close());

  test('are back in one batch, in bounded time and memory', { timeout: 300_000 }, async () => {
    const instance = { driver: 'nftables', settings: nftables.settings('') };
    await open(nftables, async () => {
      const state = join(folder, 'state');
      await mkdir(state, { mode: 0o700 });
      const journal = openJournal(state);
      const now = Date.now();
      const orders = Array.from({ length: many }, (_, index) =>
        order('add', `10.${index >> 16}.${(index >> 8) & 255}.${index & 255}`, {
          instance,
          timeoutSeconds: 86_400,
        }),
      );
      const intents = journal.intend(orders, now);
      const ids = intents.flatMap((one) => (one.kind === 'apply' ? one.action.id : []));
      journal.settle(
        ids.map((id) => ({ id, state: 'active' })),
        now,
      );
      journal.close();
    });
    for (const kernel of ['empty', 'full']) {
      const before = performance.now();
      await endpoint.start();
      figures[`start with ${many} entries, kernel ${kernel}, ms`] = Math.round(
        performance.now() - before,
      );
      const status = await readFile(`/proc/${endpoint.pid()}/status`, 'utf8');
      const mebibytes = Number(/VmHWM:\s+(\d+)/.exec(status)?.[1]) / 1_024;
      figures[`its highest memory, kernel ${kernel}, MiB`] = Math.round(mebibytes);
      expect(mebibytes).toBeLessThan(1_024);
      const counted = await machine.exec(['nft', '-j', 'list', 'set', 'inet', 'ar-exec', 'hosts4']);
      expect(counted.match(/"expires"/g)).toHaveLength(many);
      expect(await endpoint.ask({ command: 'status' })).toMatchObject({
        healthy: true,
        actions: { active: many },
      });
      await endpoint.kill();
    }
  });
});
