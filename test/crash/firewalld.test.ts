/**
 * firewalld forgets what was done at runtime: when it is reloaded, ends or loses its bus. The agent
 * hears of it, and has everything back.
 */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { FirewalldHost } from '../kernel/firewalld-host.ts';
import { requires } from '../requirements.ts';
import { createEndpoint, type Endpoint } from './endpoint.ts';
import { firewalldHosts, withFirewalld } from './facilities.ts';

const addresses = [
  ...Array.from({ length: 10 }, (_, index) => `203.0.113.${index + 100}`),
  ...Array.from({ length: 10 }, (_, index) => `2001:db8::${index + 100}`),
  '198.51.100.0/24',
  '2001:db8:1::/48',
];
const sorted = [...addresses].sort();

const facilities = [true, false].map((prepared) => withFirewalld(prepared));

requires(
  'root',
  'namespaces',
  'ip',
  ...(facilities[0]?.needs ?? []),
)('an agent on a machine with firewalld', () => {
  describe.each(facilities)('$name', { timeout: 240_000 }, (facility) => {
    let endpoint: Endpoint;
    let host: FirewalldHost;
    /** What it takes to block all of them on this machine just now, whatever else is going on. */
    let tookMs: number;

    beforeEach(async () => {
      endpoint = await createEndpoint({
        ...facility,
        plant: async (machine, folder) => {
          await facility.plant(machine, folder);
          host = firewalldHosts.get(folder) as FirewalldHost;
        },
      });
      await endpoint.start();
      const add = { command: 'add', response: 'firewalld-drop' };
      const began = performance.now();
      const replies = await endpoint.askAll(addresses.map((srcip) => ({ ...add, srcip })));
      tookMs = performance.now() - began;
      expect([...replies.values()].every(({ ok }) => ok)).toBe(true);
      expect(await held()).toEqual(sorted);
    }, 240_000);
    afterEach(() => endpoint.close());

    /** A rule stands in each zone. */
    const places = facility.settings('')['zones']?.split(' ') ?? [''];

    const held = async (): Promise<string[]> =>
      (await endpoint.found())
        .flatMap(({ target, partial }) => (partial === true ? [] : target.text))
        .sort();

    /** `done` resolves, with the time, when firewalld has said of everything that it was added. */
    const everythingBack = async (): Promise<{ readonly done: Promise<number> }> => {
      const { promise: done, resolve } = Promise.withResolvers<number>();
      const left = new Set(addresses.flatMap((text) => places.map((place) => `${place} ${text}`)));
      const ends = await Promise.all(
        (
          [
            ['zone', 'RichRuleAdded'],
            ['zone', 'SourceAdded'],
            ['ipset', 'EntryAdded'],
          ] as const
        ).map(([place, member]) =>
          host.listen(place, member, ([where, what]) => {
            const text = /source address="([^"]+)"/.exec(String(what))?.[1] ?? String(what);
            left.delete(`${places.length === 1 ? '' : where} ${text}`);
            if (left.size > 0) return;
            for (const end of ends) end();
            resolve(performance.now());
          }),
        ),
      );
      return { done };
    };

    test.each(['reload', 'completeReload'])(
      'has everything back a second after %s',
      async (how) => {
        let reloaded = 0;
        const unlisten = await host.listen('', 'Reloaded', () => {
          reloaded = performance.now();
        });
        const back = await everythingBack();
        await host.call('', how);
        expect((await back.done) - reloaded).toBeLessThan(1_000 + 2 * tookMs);
        unlisten();
        expect(await held()).toEqual(sorted);
        expect((await endpoint.list()).map(({ state }) => state)).toEqual(
          addresses.map(() => 'active'),
        );
      },
    );

    test('has everything back a second after firewalld answers again', async () => {
      const back = await everythingBack();
      await host.stop();
      await host.start();
      const answers = performance.now();
      expect((await back.done) - answers).toBeLessThan(1_000 + 2 * tookMs);
      expect(await held()).toEqual(sorted);
    });

    test('says that it cannot, while firewalld does not run, and goes on when it does', async () => {
      await host.stop();
      const add = { command: 'add', response: 'firewalld-drop', srcip: '203.0.113.7' };
      expect(await endpoint.ask(add)).toMatchObject({
        ok: false,
        code: 'driver-unavailable',
      });
      const remove = { ...add, command: 'delete', srcip: addresses[0] };
      expect(await endpoint.ask(remove)).toMatchObject({ ok: false });
      await host.start();
      await expect
        .poll(held, { timeout: 60_000, interval: 200 })
        .toEqual(sorted.filter((one) => one !== addresses[0]));
      await expect
        .poll(async () => (await endpoint.list()).map(({ state }) => state), {
          timeout: 60_000,
          interval: 200,
        })
        .toEqual(addresses.slice(1).map(() => 'active'));
    });

    test('finds its way back when the bus was away', async () => {
      await host.stopBus();
      const add = { command: 'add', response: 'firewalld-drop', srcip: '203.0.113.7' };
      expect(await endpoint.ask(add)).toMatchObject({ ok: false });
      await host.stop();
      await host.startBus();
      await host.start();
      await expect.poll(held, { timeout: 60_000, interval: 200 }).toEqual(sorted);
    });

    test('takes back what came back with a reload and is held no longer', async () => {
      await host.call('', 'runtimeToPermanent');
      const remove = { command: 'delete', response: 'firewalld-drop' };
      const replies = await endpoint.askAll(addresses.map((srcip) => ({ ...remove, srcip })));
      expect([...replies.values()].every(({ ok }) => ok)).toBe(true);
      expect(await held()).toEqual([]);
      await host.call('', 'reload');
      await expect.poll(held, { timeout: 60_000, interval: 200 }).toEqual([]);
    });
  });
});
