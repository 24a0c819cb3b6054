import { readFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { describe, expect, test } from 'vitest';
import { createEssentials } from '../../agent/system/machine.ts';

describe('what must stay reachable', () => {
  test('is every address of this machine, its resolvers and its managers', async () => {
    const essentials = await createEssentials(['192.0.2.1', '2001:DB8::1'], () => 0)();
    const texts = new Map(essentials.map(({ target, what }) => [target.text, what]));
    expect(texts.get('192.0.2.1')).toBe('the manager');
    expect(texts.get('2001:db8::1')).toBe('the manager');
    const own = Object.values(networkInterfaces()).flatMap((all) => all ?? []);
    expect(own.length).toBeGreaterThan(0);
    for (const { address, family } of own) {
      if (family === 'IPv4') expect(texts.get(address)).toBe('an address of this machine');
    }
    for (const [, address] of readFileSync('/etc/resolv.conf', 'utf8').matchAll(
      /^nameserver\s+([0-9.]+)\s*$/gm,
    )) {
      expect(texts.has(address ?? '')).toBe(true);
    }
    // Nobody is protected from everything.
    expect([...texts.keys()].filter((text) => text.endsWith('/0'))).toEqual([]);
  });

  test('does without a manager whose name nobody knows', async () => {
    const essentials = await createEssentials(['manager.invalid'], () => 0)();
    expect(essentials.filter(({ what }) => what === 'the manager')).toEqual([]);
  });

  test('is told at once for a second, then read afresh, by all who wait together', async () => {
    let now = 0;
    const ask = createEssentials([], () => now);
    const [first, second] = [ask(), ask()];
    expect(first).toBe(second);
    const known = await first;
    expect(ask()).toBe(known);
    now = 1_000;
    expect(ask()).toBe(known);
    now = 1_001;
    const afresh = ask();
    expect(afresh).toBeInstanceOf(Promise);
    expect(await afresh).toEqual(known);
  });
});
