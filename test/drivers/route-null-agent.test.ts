/** The agent's own work on the BSDs and macOS, from a request to the journal, with null routes. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Composed } from '../../agent/compose.ts';
import type { Request } from '../../agent/words.ts';
import { askSimAgent, startSimAgent, stepsOf, stopSimAgent } from '../sim/agent.ts';
import { simulate as id } from '../sim/id.ts';
import { simulate as netstat } from '../sim/netstat.ts';
import { createQuickMachine, type QuickMachine } from '../sim/quick-machine.ts';
import { simulate as route } from '../sim/route.ts';
import { simSystems } from '../sim/simulator.ts';

describe.each(simSystems)('on %s', (simulated, system) => {
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
  const run = stepsOf(() => machine.run, 'command');
  const start = () => startSimAgent({ system, state, run });
  const stop = () => stopSimAgent(agent);
  const ask = (verb: Request['verb'], srcip: string, response = 'route-null') =>
    askSimAgent(agent, { verb, response, srcip });
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
