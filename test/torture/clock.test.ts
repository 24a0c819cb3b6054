/**
 * Clocks that jump by hours while the agent runs and while it does not, a machine that is suspended,
 * and ends that no timer reaches. "Ten minutes" are ten minutes.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Machine } from '../contract/driver-contract.ts';
import { createEndpoint, type Endpoint } from '../crash/endpoint.ts';
import { type Facility, facilities } from '../crash/facilities.ts';
import { requires } from '../requirements.ts';
import { amount, createChance, keepFigures, patienceMs } from './course.ts';

const preload = fileURLToPath(new URL('./skewed-clock.mjs', import.meta.url));
const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
const wait = { timeout: 60_000, interval: 50 };
const counts = { jumps: 0, runs: 0 };
afterAll(() => keepFigures('clock', counts));

const named = (name: string): Facility => {
  const found = facilities.find((one) => one.name === name);
  if (found === undefined) throw new Error(`no facility is called ${name}`);
  return found;
};
/** The kernel ends nothing of it: the agent's own clock is what counts. */
const iptables = named('iptables, nft variant');

requires(
  'root',
  'namespaces',
  'ip',
  'ipset',
  ...iptables.needs,
)('a clock that jumps', () => {
  let endpoint: Endpoint;
  let machine: Machine;
  let skewFile: string;
  let skew: { wall: number; boot: number };

  const open = async (facility: Facility): Promise<void> => {
    skew = { wall: 0, boot: 0 };
    endpoint = await createEndpoint({
      ...facility,
      plant: async (planted, folder) => {
        machine = planted;
        skewFile = join(folder, 'skew');
        await writeFile(skewFile, JSON.stringify(skew));
        await facility.plant(planted, folder);
      },
      inside: (folder) => ({
        command: ([node = '', ...words]) => [
          'env',
          `AR_EXEC_SKEW=${join(folder, 'skew')}`,
          node,
          '--import',
          preload,
          ...words,
        ],
        // What the machine holds is looked at from outside.
        run: async () => ({ failure: 'io', stdout: '', stderr: '' }),
      }),
    });
  };
  afterEach(() => endpoint.close());

  /** While the agent runs it hears of it as the kernel's clock would tell: when it looks. */
  const jump = async (wall: number, boot = 0, running = true): Promise<void> => {
    skew = { wall: skew.wall + wall, boot: skew.boot + boot };
    await writeFile(skewFile, JSON.stringify(skew));
    if (running) process.kill(endpoint.pid(), 'SIGUSR2');
    counts.jumps += 1;
  };
  const add = async (srcip: string, timeoutSeconds: number) => {
    const asked = { command: 'add', response: 'firewall-drop', srcip, timeoutSeconds };
    expect(await endpoint.ask(asked)).toMatchObject({ ok: true });
  };
  const stands = async (address: string): Promise<boolean> =>
    (await machine.exec(['iptables-nft-save'])).includes(`-s ${address}/32`);
  const leftMs = async (address: string): Promise<number> => {
    const held = (await endpoint.list()).find(({ target }) => target === address);
    return Date.parse(held?.until ?? '') - (Date.now() + skew.wall);
  };
  /** The two clocks are compared every five seconds. */
  const isNoticed = (address: string, seconds: number) =>
    expect
      .poll(async () => Math.abs((await leftMs(address)) / 1_000 - seconds) < 60, wait)
      .toBe(true);

  describe('under what the agent ends itself', () => {
    beforeEach(async () => {
      await open(iptables);
      await endpoint.start();
    });

    test('while it runs frees nobody and holds nobody longer', {
      timeout: patienceMs('clock', 180_000),
    }, async () => {
      const chance = createChance('jumps');
      await add('203.0.113.20', 600);
      for (let round = 0; round < amount(2, 20); round += 1) {
        const brief = `203.0.113.${30 + round}`;
        const before = performance.now();
        await add(brief, 9);
        await jump((chance.below(2) === 0 ? 1 : -1) * (1 + chance.below(12)) * hourMs);
        await isNoticed('203.0.113.20', 600 - round * 10);
        await expect.poll(() => stands(brief), wait).toBe(false);
        const seconds = (performance.now() - before) / 1_000;
        expect(seconds).toBeGreaterThan(8);
        expect(seconds).toBeLessThan(30);
        expect(await stands('203.0.113.20')).toBe(true);
        counts.runs += 1;
      }
    });

    test('while it does not run is time that passed, or did not', {
      timeout: 120_000,
    }, async () => {
      await add('203.0.113.20', 600);
      await add('203.0.113.21', 7_200);
      await endpoint.kill();
      await jump(hourMs, 0, false);
      await endpoint.start();
      expect(await stands('203.0.113.20')).toBe(false);
      expect(await stands('203.0.113.21')).toBe(true);
      await endpoint.kill();
      await jump(-5 * hourMs, 0, false);
      await endpoint.start();
      expect((await endpoint.list()).map(({ target }) => target)).toEqual(['203.0.113.21']);
      expect(await stands('203.0.113.21')).toBe(true);
      counts.runs += 1;
    });

    test('because it was suspended is time that passed', { timeout: 120_000 }, async () => {
      await add('203.0.113.20', 600);
      await add('203.0.113.21', 7_200);
      await jump(hourMs, hourMs);
      await expect.poll(() => stands('203.0.113.20'), wait).toBe(false);
      await isNoticed('203.0.113.21', 3_600);
      expect(await stands('203.0.113.21')).toBe(true);
      counts.runs += 1;
    });

    test('does not end what no timer of Node reaches', { timeout: 120_000 }, async () => {
      await add('203.0.113.20', 30 * 86_400);
      await add('203.0.113.21', 3_650 * 86_400);
      // A timer that overflows is due at once, and would have been by the time of this one.
      await add('203.0.113.22', 2);
      await expect.poll(() => stands('203.0.113.22'), wait).toBe(false);
      expect(await stands('203.0.113.20')).toBe(true);
      await jump(31 * dayMs, 31 * dayMs);
      await expect.poll(() => stands('203.0.113.20'), wait).toBe(false);
      expect(await stands('203.0.113.21')).toBe(true);
      counts.runs += 1;
    });
  });

  test('does not shorten what ipset cannot count', { timeout: 120_000 }, async () => {
    await open(named('ipset, nft variant'));
    await endpoint.start();
    await add('203.0.113.20', 30 * 86_400);
    const timeout = async (): Promise<number> => {
      const saved = await machine.exec(['ipset', 'save']);
      return Number(/203\.0\.113\.20 timeout (\d+)/.exec(saved)?.[1]);
    };
    expect(await timeout()).toBeGreaterThan(2_147_000);
    expect(await timeout()).toBeLessThanOrEqual(2_147_483);
    expect((await leftMs('203.0.113.20')) / dayMs).toBeGreaterThan(29.9);
    // The kernel has run down half of it: it gets what it can count again.
    await machine.exec([
      'ipset',
      '-exist',
      'add',
      'ar-exec-hosts4',
      '203.0.113.20',
      'timeout',
      '1000000',
    ]);
    await endpoint.kill();
    await endpoint.start();
    await expect.poll(timeout, wait).toBeGreaterThan(2_147_000);
    counts.runs += 1;
  });
});
