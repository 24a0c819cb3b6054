/** The agent's own work on the BSDs and macOS, from a request to the journal, with null routes. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Composed, compose } from '../../agent/compose.ts';
import { readConfig } from '../../agent/config/read.ts';
import { knownNames } from '../../agent/settle/known-names.ts';
import type { Request } from '../../agent/words.ts';
import type { Runner } from '../../platform/step.ts';
import type { System } from '../../platform/system.ts';
import { simulate as id } from '../sim/id.ts';
import { simulate as netstat } from '../sim/netstat.ts';
import { createQuickMachine, type QuickMachine } from '../sim/quick-machine.ts';
import { simulate as route } from '../sim/route.ts';
import type { SimSystem } from '../sim/simulator.ts';

const systems = [
  ['freebsd13', 'freebsd'],
  ['freebsd15', 'freebsd'],
  ['openbsd76', 'openbsd'],
  ['netbsd10', 'netbsd'],
  ['dragonfly6', 'dragonfly'],
  ['macos14', 'darwin'],
] as const satisfies (readonly [SimSystem, System])[];

const { config } = readConfig('<ossec_config></ossec_config>', 'f', knownNames);

describe.each(systems)('on %s', (simulated, system) => {
  let machine: QuickMachine;
  let state: string;
  let agent: Composed;

  beforeEach(async () => {
    machine = createQuickMachine(simulated, { route, netstat, id });
    state = await mkdtemp(join(tmpdir(), 'ar-exec-routes-'));
    agent = await start();
  });
  afterEach(async () => {
    await stop();
    await rm(state, { recursive: true });
  });

  /** Files are not its business: no other driver can be used here. */
  const run: Runner = async (step) =>
    step.kind === 'command'
      ? machine.run(step)
      : { failure: 'io', stdout: '', stderr: `no ${step.kind} here` };
  const report = {
    refused: () => {},
    outcome: () => {},
    repaired: () => {},
    trouble: () => {},
  };
  const start = async () => {
    const composed = await compose({
      config,
      state,
      report,
      system,
      adornments: { runner: () => run },
    });
    await composed.flow.recover({ adopt: composed.journal.isNew });
    return composed;
  };
  const stop = async () => {
    await agent.flow.stop({ revert: false });
    agent.journal.close();
  };
  const ask = (verb: Request['verb'], srcip: string, response = 'route-null') =>
    agent.flow.accept({ verb, response, srcip, origin: { dialect: 'native' } } as Request);
  const blackholes = () =>
    (machine.parts['routes'] as { target: string; flags: string[] }[])
      .filter(({ flags }) => flags.includes('BLACKHOLE'))
      .map(({ target }) => target)
      .sort();

  test('a null route is made, kept through a restart, and taken back', async () => {
    expect(agent.settled().chosen.get('route-null')?.why).toBe(
      'route-null: route-null-bsd=yes (blackhole routes) -> route-null-bsd',
    );
    await ask('add', '203.0.113.7');
    await ask('add', '2001:db8::/48');
    expect(blackholes()).toEqual(['2001:db8::/48', '203.0.113.7']);
    await stop();
    agent = await start();
    expect(blackholes()).toEqual(['2001:db8::/48', '203.0.113.7']);
    await ask('delete', '203.0.113.7');
    await ask('delete', '2001:db8::/48');
    expect(blackholes()).toEqual([]);
  });

  test('one that is gone is made again; one of somebody else stays, whatever the journal says', async () => {
    await machine.exec(['route', '-n', 'add', '-host', '203.0.113.9', '127.0.0.1', '-blackhole']);
    await ask('add', '203.0.113.7');
    expect(await ask('add', '203.0.113.9')).toMatchObject({ action: { preExisting: true } });
    await machine.exec(['route', '-n', 'delete', '-host', '203.0.113.7', '127.0.0.1']);
    await stop();
    agent = await start();
    expect(blackholes()).toEqual(['203.0.113.7', '203.0.113.9']);
    await ask('delete', '203.0.113.7');
    await ask('delete', '203.0.113.9');
    expect(blackholes()).toEqual(['203.0.113.9']);
  });

  test('a journal that is new takes nothing for its own', async () => {
    await ask('add', '203.0.113.7');
    await stop();
    await rm(state, { recursive: true });
    state = await mkdtemp(join(tmpdir(), 'ar-exec-routes-'));
    agent = await start();
    expect(agent.journal.list('live', 10)).toEqual([]);
    expect(blackholes()).toEqual(['203.0.113.7']);
  });

  test('its own gateway is never cut off', async () => {
    const routes = machine.parts['routes'] as { target: string; gateway: string }[];
    const found = routes.find(({ target }) => target === '0.0.0.0/0');
    if (found !== undefined) found.gateway = '198.51.100.1';
    await expect(ask('add', '198.51.100.1')).rejects.toMatchObject({
      code: 'target-protected',
      message: expect.stringContaining('the default gateway'),
    });
    expect(machine.ran.filter((line) => line.includes(' add '))).toEqual([]);
  });

  test('a dry run shows the very steps', async () => {
    const request = { verb: 'add', response: 'route-null', srcip: '203.0.113.7', dryRun: true };
    const plan = await agent.flow.accept({ ...request, origin: { dialect: 'native' } } as Request);
    expect(plan).toMatchObject({
      driver: 'route-null-bsd',
      steps: [
        { tool: 'route', args: ['-n', 'add', '-host', '203.0.113.7', '127.0.0.1', '-blackhole'] },
      ],
    });
  });
});
