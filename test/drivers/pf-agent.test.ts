/** The agent's own work with pf, from a request to the journal, on each simulated system. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Composed } from '../../agent/compose.ts';
import type { FlowsEnded } from '../../agent/engine/flow-ender.ts';
import type { Request } from '../../agent/words.ts';
import type { System } from '../../platform/system.ts';
import { askSimAgent, startSimAgent, stepsOf, stopSimAgent } from '../sim/agent.ts';
import type { PfState } from '../sim/pf-world.ts';
import { createPfMachine, dumpPf, ownAnchor, type PfMachine, type PfSystem } from './pf-machine.ts';
import { show } from './show.ts';

const systems = [
  ['freebsd13', 'freebsd'],
  ['freebsd15', 'freebsd'],
  ['openbsd76', 'openbsd'],
  ['macos14', 'darwin'],
] as const satisfies (readonly [PfSystem, System])[];

const established = { proto: 'tcp', ended: 'ESTABLISHED:ESTABLISHED' } as const;
const states: readonly PfState[] = [
  {
    ...established,
    id: '03be016b00000000',
    direction: 'in',
    source: '203.0.113.7:40022',
    destination: '192.0.2.1:22',
  },
  {
    ...established,
    id: '03be016b00000001',
    direction: 'out',
    source: '192.0.2.1:51000',
    destination: '203.0.113.7:80',
  },
];

describe.each(systems)('on %s', (simulated, system) => {
  const anchor = ownAnchor(simulated);
  let machine: PfMachine;
  let state: string;
  let agent: Composed;
  let ended: PromiseWithResolvers<FlowsEnded>;

  beforeEach(async () => {
    machine = await createPfMachine(simulated);
    state = await mkdtemp(join(tmpdir(), 'ar-exec-pf-'));
    ended = Promise.withResolvers();
    agent = await start();
  });
  afterEach(async () => {
    await stop();
    await rm(state, { recursive: true });
    await machine.close();
  });

  const run = stepsOf(() => machine.run, 'command', 'pf-reference', 'read-file');
  const flowsEnded = (result: FlowsEnded) => ended.resolve(result);
  const start = () => startSimAgent({ system, state, run, flowsEnded });
  const stop = () => stopSimAgent(agent);
  const ask = (verb: Request['verb'], srcip: string, more: Partial<Request> = {}) =>
    askSimAgent(agent, { verb, response: 'firewall-drop', srcip, ...more });
  const blocked = () => machine.pf.anchors[anchor]?.tables['ar_exec']?.entries ?? [];

  test('a block is made, ends connections, is kept through a restart, and taken back', async () => {
    expect(agent.settled().chosen.get('firewall-drop')?.why).toMatch(
      new RegExp(`pf=yes \\(anchor ${anchor}\\).* -> pf$`),
    );
    machine.pf.states = [...states];
    await ask('add', '203.0.113.7');
    expect(await ended.promise).toMatchObject({ flows: 2, troubles: [] });
    expect(machine.pf.states).toEqual([]);
    await ask('add', '2001:db8::/48');
    expect(blocked()).toEqual(['203.0.113.7', '2001:db8::/48']);
    await stop();
    agent = await start();
    expect(blocked()).toEqual(['203.0.113.7', '2001:db8::/48']);
    await ask('delete', '203.0.113.7');
    await ask('delete', '2001:db8::/48');
    expect(blocked()).toEqual([]);
  });

  test('what others flushed meanwhile is put back by the next agent', async () => {
    await ask('add', '203.0.113.7');
    const before = dumpPf(machine);
    await stop();
    await machine.exec(['pfctl', '-a', anchor, '-F', 'all']);
    agent = await start();
    expect(dumpPf(machine)).toBe(before);
  });

  test('a dry run shows the very steps, and the connections that it would end', async () => {
    machine.pf.states = [...states];
    const before = dumpPf(machine);
    const plan = await ask('add', '203.0.113.7', { dryRun: true });
    const shown = show((plan as unknown as { steps: [] }).steps);
    expect(shown).toContain(`$ pfctl -q -a ${anchor} -t ar_exec -T add -f -\n203.0.113.7\n`);
    const last = {
      darwin: '$ pfctl -k 0.0.0.0/0 -k 203.0.113.7\n',
      freebsd: '$ pfctl -k id -k 03be016b00000001\n',
      openbsd: '$ pfctl -k id -k 03be016b00000001\n',
    };
    expect(shown.endsWith(`$ pfctl -k 203.0.113.7\n${last[system]}`)).toBe(true);
    expect(dumpPf(machine)).toBe(before);
    expect(machine.pf.states).toEqual(states);
  });

  test('nothing is said to be blocked once the ruleset has lost the anchor', async () => {
    await ask('add', '203.0.113.7');
    await machine.load('pass all');
    await expect(ask('add', '203.0.113.8')).rejects.toMatchObject({
      code: 'driver-failed',
      message: expect.stringContaining('not enforced: the main ruleset does not call our anchor'),
    });
    await stop();
    agent = await start();
    expect(agent.flow.desks().flatMap((desk) => desk.trouble() ?? [])).toEqual([
      expect.stringContaining('not enforced'),
    ]);
    await ask('delete', '203.0.113.7');
    expect(blocked()).toEqual([]);
  });

  test('a ruleset without the anchor leaves nothing to choose', async () => {
    await stop();
    await machine.load('pass all');
    agent = await start();
    await expect(ask('add', '203.0.113.7')).rejects.toMatchObject({
      message: expect.stringContaining('not enforced'),
    });
    expect(agent.journal.list('live', 10)).toEqual([]);
  });
});
