/** What the simulated pfctl does that transcripts do not have, as processes. */
import { afterEach, expect, test, vi } from 'vitest';
import { createCarrier } from '../../agent/engine/carry-out.ts';
import { pf } from '../../platform/bsd/pf.ts';
import { targets } from '../contract/driver-contract.ts';
import { createSimMachine, type SimMachine } from '../sim/machine.ts';
import { pfOf } from '../sim/pf-world.ts';
import type { SimSystem } from '../sim/simulator.ts';

vi.setConfig({ testTimeout: 60_000 });

let machine: SimMachine;
afterEach(() => machine.close());

async function begin(system: SimSystem, more = {}): Promise<void> {
  const anchors = { '': { rules: ['anchor "ar-exec" all'], tables: {} } };
  machine = await createSimMachine({
    system,
    tools: { pfctl: 'pfctl.ts' },
    parts: { pf: { enabled: true, anchors, ...more } },
  });
}

const add = (...words: readonly string[]) => ({
  kind: 'command' as const,
  tool: 'pfctl',
  args: ['-t', 'blk', '-T', 'add', ...words],
  deadlineMs: 2_000,
});

test('who runs into the limit of OpenBSD waits for ever, and so does everybody after', async () => {
  await begin('openbsd76', { entryLimit: 2 });
  expect(await machine.run(add('192.0.2.1', '192.0.2.2', '192.0.2.3'))).toMatchObject({
    failure: 'timeout',
  });
  const info = { kind: 'command', tool: 'pfctl', args: ['-s', 'info'], deadlineMs: 2_000 } as const;
  expect(await machine.run(info)).toMatchObject({ failure: 'timeout' });
});

test('FreeBSD says so and adds nothing', async () => {
  await begin('freebsd13', { entryLimit: 2 });
  const said = await machine.run(add('192.0.2.1', '192.0.2.2', '192.0.2.3'));
  expect(said).toMatchObject({ exitCode: 255 });
  expect(said.stderr).toContain('pfctl: Cannot allocate memory.');
  expect(pfOf(await machine.parts()).anchors['']?.tables['blk']?.entries).toEqual([]);
});

test('a pfctl that hangs makes a block fail and is not asked for each address again', async () => {
  await begin('openbsd76');
  const many = targets(Array.from({ length: 40 }, (_, index) => `192.0.2.${index}`));
  let started = 0;
  const one = createCarrier(pf.make(pf.defaults), async (step) => {
    started += 1;
    return machine.run(step.kind === 'command' ? { ...step, deadlineMs: 200 } : step);
  });
  await machine.switch({ hang: ['pfctl'] });
  const carried = await one.apply(many.map((target) => ({ target })));
  expect(new Set(carried.map(({ result }) => result))).toEqual(new Set(['failed']));
  expect(started).toBeLessThan(12);
});

test('nor more than once before a batch', async () => {
  await begin('openbsd76');
  const [first, second] = targets(['192.0.2.1', '192.0.2.2']);
  if (first === undefined || second === undefined) throw new Error('no targets');
  const asked: string[] = [];
  let hangs = false;
  const one = createCarrier(pf.make(pf.defaults), async (step) => {
    if (hangs) asked.push(JSON.stringify(step));
    return machine.run(hangs && step.kind === 'command' ? { ...step, deadlineMs: 200 } : step);
  });
  expect(await one.apply([{ target: first }])).toMatchObject([{ result: 'done' }]);
  await machine.switch({ hang: ['pfctl'] });
  hangs = true;
  expect(await one.apply([{ target: second }])).toMatchObject([{ result: 'failed' }]);
  expect(asked.length).toBeGreaterThan(0);
  expect(asked.length).toBe(new Set(asked).size);
});

test.each([
  ['-s', 'nat'],
  ['-F', 'states'],
  ['-t', 'blk', '-T', 'zero'],
  ['-i', 'em0', '-s', 'states'],
  ['-E'],
])('refuses loudly what it does not know: pfctl %s', async (...args) => {
  await begin('freebsd13');
  expect(await machine.run({ kind: 'command', tool: 'pfctl', args })).toMatchObject({
    exitCode: 99,
    stderr: expect.stringContaining('simulator: not known: pfctl'),
  });
});
