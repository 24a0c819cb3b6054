import { describe, expect, test } from 'vitest';
import { createGateways } from '../../agent/system/gateways.ts';
import { createEssentials } from '../../agent/system/machine.ts';
import type { Runner } from '../../platform/step.ts';
import { createQuickMachine } from '../sim/quick-machine.ts';
import { simulate as route } from '../sim/route.ts';
import { simSystems } from '../sim/simulator.ts';

describe.each(simSystems)('the default gateways on %s', (simulated, system) => {
  const six = { target: '::/0', gateway: 'fe80::1', flags: ['UP', 'GATEWAY'], dev: 'em0' };
  const withSix = () => {
    const machine = createQuickMachine(simulated, { route });
    machine.call(['route', '-n', 'get', 'default']);
    (machine.parts['routes'] as unknown[]).push(six);
    return machine;
  };

  test('are those that route tells, and are kept reachable', async () => {
    const machine = withSix();
    expect(await createGateways(system, machine.run)()).toEqual(['192.0.2.2', 'fe80::1']);
    const gateways = createGateways(system, machine.run);
    const essentials = await createEssentials([], () => 0, gateways)();
    const kept = essentials.filter(({ what }) => what === 'the default gateway');
    expect(kept.map(({ target }) => target.text)).toEqual(['192.0.2.2', 'fe80::1']);
  });

  test('are none where there is no default route', async () => {
    const machine = withSix();
    const routes = machine.parts['routes'] as { target: string }[];
    machine.parts['routes'] = routes.filter(({ target }) => !target.endsWith('/0'));
    expect(await createGateways(system, machine.run)()).toEqual([]);
  });

  test('are those of before while route does not answer', async () => {
    const machine = withSix();
    const gateways = createGateways(system, machine.run);
    const known = await gateways();
    machine.switches = { hang: ['route'] };
    expect(await gateways()).toEqual(known);
  });
});

test('a gateway with a zone is kept reachable without it, and route has two seconds', async () => {
  const deadlines: unknown[] = [];
  const run: Runner = async (step) => {
    deadlines.push('deadlineMs' in step && step.deadlineMs);
    return { exitCode: 0, stdout: '   route to: ::\n    gateway: fe80::1%em0\n', stderr: '' };
  };
  const essentials = await createEssentials([], () => 0, createGateways('freebsd', run))();
  expect(essentials.map(({ target }) => target.text)).toContain('fe80::1');
  expect(deadlines).toEqual([2_000, 2_000]);
});

test('on Linux nothing is run for them', async () => {
  const run: Runner = () => {
    throw new Error('a tool was run');
  };
  await expect(createGateways('linux', run)()).resolves.toBeInstanceOf(Array);
});
