/** The agent's own work on Windows, from a request to the journal, with the firewall and null routes. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Composed } from '../../agent/compose.ts';
import type { Log } from '../../agent/observe/log.ts';
import { findResponse } from '../../agent/policy/responses.ts';
import { createLookAgain } from '../../agent/reload.ts';
import type { Request } from '../../agent/words.ts';
import { readSlots } from '../../platform/windows/netsh-slots.ts';
import { askSimAgent, startSimAgent, stepsOf, stopSimAgent } from '../sim/agent.ts';
import type { QuickMachine } from '../sim/quick-machine.ts';
import { createQuickWindows } from '../sim/windows.ts';
import { registryOf, rulesKey } from '../sim/windows-registry.ts';
import { routesOf } from '../sim/windows-routes.ts';

/** Not one word of what the tools say is understood here. */
const language = 'de';

describe('on a Windows', () => {
  let machine: QuickMachine;
  let state: string;
  let agent: Composed;

  beforeEach(async () => {
    machine = createQuickWindows({ language });
    state = await mkdtemp(join(tmpdir(), 'ar-exec-windows-'));
    agent = await start();
  });
  afterEach(async () => {
    await stop();
    await rm(state, { recursive: true });
  });

  const run = stepsOf(() => machine.run, 'command');
  const start = () => startSimAgent({ system: 'win32', state, run });
  const stop = () => stopSimAgent(agent);
  const again = async () => {
    await stop();
    agent = await start();
  };
  const ask = (verb: Request['verb'], srcip: string, more: Partial<Request> = {}) =>
    askSimAgent(agent, { verb, response: 'firewall-drop', srcip, ...more });
  const advfirewall = (...words: string[]) => machine.exec(['netsh', 'advfirewall', ...words]);
  /** Which slot blocks what, in both directions. */
  const blocked = () =>
    Object.fromEntries(
      readSlots('ar-exec', [
        {
          path: rulesKey,
          values: Object.entries(registryOf(machine.parts)[rulesKey] ?? {}).map(
            ([name, [type, data]]) => ({ name, type, data }),
          ),
        },
      ]).map(({ name, acting }) => [
        name,
        [...acting.in.intersection(acting.out)].sort().join(' '),
      ]),
    );

  test('an address is blocked, kept through a restart, and let go', async () => {
    expect(agent.settled().chosen.get('firewall-drop')?.why).toBe(
      'firewall-drop: netsh=yes (rules of the Windows firewall) -> netsh',
    );
    await ask('add', '203.0.113.7');
    await ask('add', '2001:db8::/48');
    expect(blocked()).toEqual({ 'ar-exec-0001': '2001:db8::/48 203.0.113.7' });
    const before = machine.ran.length;
    await again();
    expect(machine.ran.slice(before).filter((line) => / rule /.test(line))).toEqual([]);
    expect(blocked()).toEqual({ 'ar-exec-0001': '2001:db8::/48 203.0.113.7' });
    await ask('delete', '203.0.113.7');
    expect(blocked()).toEqual({ 'ar-exec-0001': '2001:db8::/48' });
    await ask('delete', '2001:db8::/48');
    expect(blocked()).toEqual({});
  });

  test('a reset of the firewall is put right', async () => {
    await ask('add', '203.0.113.7');
    await ask('add', '203.0.113.8');
    await advfirewall('reset');
    expect(blocked()).toEqual({});
    await again();
    expect(Object.values(blocked())).toEqual(['203.0.113.7 203.0.113.8']);
  });

  const rule = (...words: string[]) => ['firewall', 'set', 'rule', 'name=ar-exec-0001', ...words];
  const damages: Readonly<Record<string, string[]>> = {
    'rules deleted': ['firewall', 'delete', 'rule', 'name=ar-exec-0001'],
    'one direction deleted': ['firewall', 'delete', 'rule', 'name=ar-exec-0001', 'dir=out'],
    'rules disabled': rule('new', 'enable=no'),
    'rules renamed': rule('new', 'name=mine'),
    'one direction renamed': rule('dir=in', 'new', 'name=mine'),
    'an address taken from one direction': rule('dir=in', 'new', 'remoteip=203.0.113.7'),
    'rules that allow': rule('new', 'action=allow'),
    'rules for one kind of network': rule('new', 'profile=public'),
    'rules for one program': rule('new', 'program=C:\\x.exe'),
    'rules for one protocol': rule('new', 'protocol=6'),
    'every address there is': rule('new', 'remoteip=any'),
    'a range in the place of an address': rule(
      'dir=out',
      'new',
      'remoteip=203.0.113.7-203.0.113.9',
    ),
  };
  test.each(Object.entries(damages))('put right: %s', async (_, words) => {
    await ask('add', '203.0.113.7');
    await ask('add', '203.0.113.8');
    await advfirewall(...words);
    const others = Object.values(registryOf(machine.parts)[rulesKey] ?? {}).filter(
      ([, data]) => !data.includes('|Name=ar-exec-'),
    );
    await again();
    expect(Object.values(blocked())).toEqual(['203.0.113.7 203.0.113.8']);
    const data = Object.values(registryOf(machine.parts)[rulesKey] ?? {}).map(([, text]) => text);
    expect(data.filter((text) => text.includes('|Name=ar-exec-'))).toHaveLength(2);
    // What has another name now is somebody else's.
    expect(data).toEqual(expect.arrayContaining(others.map(([, text]) => text)));
    await ask('delete', '203.0.113.7');
    await ask('delete', '203.0.113.8');
    expect(blocked()).toEqual({});
  });

  test('what nobody asked for is taken out of its rules', async () => {
    await ask('add', '203.0.113.7');
    const changed = rule('new', 'remoteip=203.0.113.7,203.0.113.99');
    await advfirewall(...changed);
    await again();
    expect(blocked()).toEqual({ 'ar-exec-0001': '203.0.113.7' });
  });

  test('a journal that is lost is made anew of the rules', async () => {
    await ask('add', '203.0.113.7');
    await stop();
    await rm(state, { recursive: true });
    state = await mkdtemp(join(tmpdir(), 'ar-exec-windows-'));
    agent = await start();
    expect(agent.journal.list('live', 10)).toMatchObject([{ target: { text: '203.0.113.7' } }]);
    expect(Object.values(blocked())).toEqual(['203.0.113.7']);
  });

  test('a firewall that is turned off enforces nothing, and nothing is said to be', async () => {
    await ask('add', '203.0.113.7');
    await advfirewall('set', 'allprofiles', 'state', 'off');
    const rules = JSON.stringify(registryOf(machine.parts)[rulesKey]);
    await expect(ask('add', '203.0.113.8')).rejects.toMatchObject({
      code: 'driver-failed',
      message:
        '203.0.113.8 is not enforced: not enforced: the Windows firewall would do nothing: it is off in all networks',
    });
    expect(JSON.stringify(registryOf(machine.parts)[rulesKey])).toBe(rules);
    // Taking back needs no firewall that enforces.
    await ask('delete', '203.0.113.7');
    expect(blocked()).toEqual({});
  });

  test('block-ip goes on to a null route where the firewall is off', async () => {
    await advfirewall('set', 'allprofiles', 'state', 'off');
    expect(await ask('add', '203.0.113.7', { response: 'block-ip' })).toMatchObject({
      action: { instance: { driver: 'route-null-windows' } },
    });
    const targets = () => routesOf(machine.parts).map(({ target }) => target);
    expect(targets()).toContain('203.0.113.7');
    await ask('delete', '203.0.113.7', { response: 'block-ip' });
    expect(targets()).not.toContain('203.0.113.7');
  });

  test("the firewall's service that does not run is told, and so is whoever is no administrator", async () => {
    machine.switches = { language, stopped: ['mpssvc'] };
    await again();
    expect(agent.settled().chosen.get('netsh')?.why).toContain(
      'netsh=no (not enforced: the service of the Windows firewall (MpsSvc) does not run)',
    );
    machine.switches = { language, limited: true };
    await again();
    expect(agent.settled().chosen.get('netsh')?.why).toContain(
      'netsh=no (only an administrator may change rules)',
    );
    machine.switches = { language };
  });

  test("the firewall's service that comes after the agent is noticed", async () => {
    await ask('add', '203.0.113.7');
    await ask('add', '203.0.113.8', { timeoutSeconds: 1 });
    await stop();
    machine.switches = { language, stopped: ['mpssvc'] };
    agent = await start();
    const said: object[] = [];
    const log = { info: (facts: object) => said.push(facts) } as unknown as Log;
    let now = 0;
    const look = createLookAgain({ composed: agent, log }, () => now);
    await expect(ask('add', '203.0.113.9')).rejects.toMatchObject({
      code: 'driver-unavailable',
      message: expect.stringContaining('(MpsSvc) does not run'),
    });
    const looks = async (seconds: number) => {
      const before = machine.ran.length;
      now += seconds * 1_000;
      await look();
      return machine.ran.length - before > 0;
    };
    // After 0, 1, 3 and 7 seconds, and so on, up to five minutes.
    expect([await looks(0), await looks(0.9), await looks(0.1), await looks(1.9)]).toEqual([
      true,
      false,
      true,
      false,
    ]);
    expect(said).toEqual([]);
    machine.switches = { language };
    expect(await looks(0.1)).toBe(true);
    expect(said).toContainEqual({
      why: 'firewall-drop: netsh=yes (rules of the Windows firewall) -> netsh',
    });
    await ask('add', '203.0.113.9');
    expect(await looks(1_000)).toBe(false);
    // What was due while nothing could be taken back is tried again until it is done.
    await vi.waitFor(() => {
      expect(Object.values(blocked())).toEqual(['203.0.113.7 203.0.113.9']);
    }, 60_000);
  });

  test('a dry run shows the very steps, from what stands', async () => {
    const plan = async (srcip: string, verb: Request['verb'] = 'add') => {
      const made = await ask(verb, srcip, { dryRun: true });
      return (made as unknown as { steps: { args: string[] }[] }).steps.map(({ args }) =>
        args.slice(2).join(' '),
      );
    };
    expect(await plan('203.0.113.7')).toEqual([
      expect.stringMatching(
        /^add rule name=ar-exec-0001 .* dir=in remoteip=203.0.113.7 action=block$/,
      ),
      expect.stringMatching(
        /^add rule name=ar-exec-0001 .* dir=out remoteip=203.0.113.7 action=block$/,
      ),
    ]);
    await ask('add', '203.0.113.7');
    expect(await plan('203.0.113.8')).toEqual([
      'set rule name=ar-exec-0001 dir=in new remoteip=203.0.113.7,203.0.113.8',
      'set rule name=ar-exec-0001 dir=out new remoteip=203.0.113.7,203.0.113.8',
    ]);
    expect(await plan('203.0.113.7', 'delete')).toEqual(['delete rule name=ar-exec-0001']);
    expect(Object.values(blocked())).toEqual(['203.0.113.7']);
  });

  test("upstream's names for it come to the same", async () => {
    for (const name of ['netsh', 'netsh.exe', 'netsh.cmd', 'netsh-win-2016.cmd']) {
      await ask('add', '203.0.113.7', { response: name });
      expect(Object.values(blocked())).toEqual(['203.0.113.7']);
      await ask('delete', '203.0.113.7', { response: name });
    }
    const meant = (name: string) => agent.settled().define(name)?.name;
    expect(meant('route-null-2012.cmd')).toBe('route-null');
    expect(meant('block-ip.exe')).toBe('block-ip');
    expect(meant('firewall-drop.cmd')).toBe('firewall-drop');
    // Files of that name belong to Windows, and to nobody else.
    expect(findResponse('route-null.cmd')).toBeUndefined();
  });
});
