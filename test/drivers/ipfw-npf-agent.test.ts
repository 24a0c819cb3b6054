/** The agent's own work on FreeBSD and NetBSD, from a request to the journal, with ipfw and npf. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Composed } from '../../agent/compose.ts';
import type { Request } from '../../agent/words.ts';
import type { System } from '../../platform/system.ts';
import { askSimAgent, startSimAgent, stepsOf, stopSimAgent } from '../sim/agent.ts';
import { simulate as id } from '../sim/id.ts';
import { simulate as ipfw } from '../sim/ipfw.ts';
import { simulate as netstat } from '../sim/netstat.ts';
import { type Npf, simulate as npfctl } from '../sim/npfctl.ts';
import { createQuickMachine, type QuickMachine } from '../sim/quick-machine.ts';
import { simulate as route } from '../sim/route.ts';
import type { SimSystem } from '../sim/simulator.ts';
import { simulate as sysctl } from '../sim/sysctl.ts';

let machine: QuickMachine;
let state: string;
let agent: Composed;

const run = stepsOf(() => machine.run, 'command');

async function start(system: System, settings = ''): Promise<void> {
  agent = await startSimAgent({ system, state, run, settings });
}

const stop = () => stopSimAgent(agent);

const ask = (verb: Request['verb'], srcip: string, response: string) =>
  askSimAgent(agent, { verb, response, srcip });

const lines = (...argv: readonly string[]) => machine.call(argv).stdout.split('\n').filter(Boolean);

afterEach(async () => {
  await stop();
  await rm(state, { recursive: true });
});

describe.each(['freebsd13', 'freebsd15'] satisfies SimSystem[])('ipfw on %s', (simulated) => {
  beforeEach(async () => {
    machine = createQuickMachine(simulated, { ipfw, sysctl, route, netstat, id });
    machine.parts['sysctl'] = { 'net.inet.ip.fw.enable': '1', 'net.inet6.ip6.fw.enable': '1' };
    state = await mkdtemp(join(tmpdir(), 'ar-exec-ipfw-'));
    await start('freebsd');
  });

  const blocked = () => lines('ipfw', 'table', 'ar_exec', 'list');
  const ours = () => lines('ipfw', 'list').filter((line) => line.includes('table(ar_exec)')).length;

  test.each(['ipfw', 'ipfw.sh', 'firewall-drop', 'block-ip'])(
    'is what %s uses',
    async (response) => {
      expect(await ask('add', '203.0.113.7', response)).toMatchObject({
        action: { instance: { driver: 'ipfw' } },
      });
      expect(blocked()).toEqual(['203.0.113.7/32 0']);
      expect(ours()).toBe(2);
      await ask('delete', '203.0.113.7', response);
      expect(blocked()).toEqual([]);
    },
  );

  test('holds what the journal says after a restart of the agent, of ipfw, and of the machine', async () => {
    await ask('add', '203.0.113.7', 'firewall-drop');
    await ask('add', '2001:db8::/48', 'firewall-drop');
    const all = ['203.0.113.7/32 0', '2001:db8::/48 0'];
    await stop();
    await start('freebsd');
    expect(blocked()).toEqual(all);
    await stop();
    // "service ipfw restart" flushes the rules and leaves the tables.
    machine.call(['ipfw', '-q', 'flush']);
    await start('freebsd');
    expect([blocked(), ours()]).toEqual([all, 2]);
    await stop();
    machine.parts['ipfw'] = { tables: {}, rules: [] };
    await start('freebsd');
    expect([blocked(), ours()]).toEqual([all, 2]);
  });

  test('is passed over while it is off: a route does it, where that will do', async () => {
    machine.parts['sysctl'] = { 'net.inet.ip.fw.enable': '0', 'net.inet6.ip6.fw.enable': '0' };
    expect(await ask('add', '203.0.113.7', 'block-ip')).toMatchObject({
      action: { instance: { driver: 'route-null-bsd' } },
    });
    await expect(ask('add', '203.0.113.8', 'ipfw')).rejects.toThrow(
      'not enforced: ipfw is turned off (net.inet.ip.fw.enable is not 1)',
    );
    expect(blocked()).toEqual([]);
  });

  test('keeps in the old table what was put there, whatever is configured now', async () => {
    await ask('add', '203.0.113.7', 'ipfw');
    await stop();
    await start('freebsd', '<ipfw><table>fence</table><rule>7</rule></ipfw>');
    await ask('add', '203.0.113.8', 'ipfw');
    expect(blocked()).toEqual(['203.0.113.7/32 0']);
    expect(lines('ipfw', 'table', 'fence', 'list')).toEqual(['203.0.113.8/32 0']);
    await ask('delete', '203.0.113.7', 'ipfw');
    expect(blocked()).toEqual([]);
    expect(lines('ipfw', 'list')).toContain('00007 deny ip from any to table(fence) // ar-exec');
  });

  test('is not confused by another number for the same table', async () => {
    await ask('add', '203.0.113.7', 'ipfw');
    await stop();
    await start('freebsd', '<ipfw><rule>7</rule></ipfw>');
    expect(blocked()).toEqual(['203.0.113.7/32 0']);
    await ask('add', '203.0.113.8', 'ipfw');
    expect(blocked()).toEqual(['203.0.113.7/32 0', '203.0.113.8/32 0']);
    await stop();
    await start('freebsd', '<ipfw><rule>7</rule></ipfw>');
    expect(blocked()).toEqual(['203.0.113.7/32 0', '203.0.113.8/32 0']);
  });

  test('shows in a dry run the very steps, with what has to be made first', async () => {
    const request = { verb: 'add', response: 'ipfw', srcip: '203.0.113.7', dryRun: true };
    const plan = await agent.flow.accept({ ...request, origin: { dialect: 'native' } } as Request);
    const from = machine.ran.length;
    const { steps } = plan as unknown as { steps: { tool: string; args: string[] }[] };
    const planned = steps.map(({ tool, args }) => [tool, ...args].join(' '));
    await ask('add', '203.0.113.7', 'ipfw');
    const ran = machine.ran.slice(from).filter((line) => planned.includes(line));
    expect(ran).toEqual(planned);
    expect(planned[0]).toBe('ipfw table ar_exec create type addr missing');
  });
});

describe('npf on netbsd10', () => {
  const npf: Npf = {
    active: true,
    tables: { ar_exec: { type: 'lpm', entries: [] } },
    groups: [
      {
        head: 'group default',
        rules: [
          'block in final from <ar_exec>',
          'block out final to <ar_exec>',
          'pass in final all',
        ],
      },
    ],
  };
  beforeEach(async () => {
    machine = createQuickMachine('netbsd10', { npfctl, route, netstat, id });
    machine.parts['npf'] = structuredClone(npf);
    state = await mkdtemp(join(tmpdir(), 'ar-exec-npf-'));
    await start('netbsd');
  });

  const blocked = () => lines('npfctl', 'table', 'ar_exec', 'list').sort();

  test.each(['npf', 'npf.sh', 'firewall-drop', 'block-ip'])('is what %s uses', async (response) => {
    expect(await ask('add', '203.0.113.7', response)).toMatchObject({
      action: { instance: { driver: 'npf' } },
    });
    expect(await ask('add', '198.51.100.0/24', response)).toMatchObject({
      action: { instance: { driver: 'npf' } },
    });
    expect(blocked()).toEqual(['198.51.100.0/24', '203.0.113.7']);
    await ask('delete', '203.0.113.7', response);
    await ask('delete', '198.51.100.0/24', response);
    expect(blocked()).toEqual([]);
  });

  test('holds what the journal says after a restart of the machine, and leaves what is not its own', async () => {
    machine.call(['npfctl', 'table', 'ar_exec', 'add', '203.0.113.9']);
    await ask('add', '203.0.113.7', 'npf');
    expect(await ask('add', '203.0.113.9', 'npf')).toMatchObject({ action: { preExisting: true } });
    await stop();
    machine.parts['npf'] = structuredClone(npf);
    machine.call(['npfctl', 'table', 'ar_exec', 'add', '203.0.113.9']);
    machine.call(['npfctl', 'table', 'ar_exec', 'add', '203.0.113.10']);
    await start('netbsd');
    const theirs = ['203.0.113.10', '203.0.113.9'];
    expect(blocked()).toEqual([...theirs, '203.0.113.7'].sort());
    await ask('delete', '203.0.113.7', 'npf');
    await ask('delete', '203.0.113.9', 'npf');
    expect(blocked()).toEqual(theirs);
  });

  test('puts an address in when the prefix that held it has ended', async () => {
    await ask('add', '10.1.0.0/16', 'npf');
    expect(await ask('add', '10.1.2.3', 'npf')).toMatchObject({ action: { preExisting: true } });
    await ask('delete', '10.1.0.0/16', 'npf');
    await stop();
    await start('netbsd');
    expect(blocked()).toEqual(['10.1.2.3']);
    await ask('delete', '10.1.2.3', 'npf');
    expect(blocked()).toEqual([]);
  });

  test('is passed over while it is not active: a route does it, where that will do', async () => {
    (machine.parts['npf'] as Npf).active = false;
    expect(await ask('add', '203.0.113.7', 'block-ip')).toMatchObject({
      action: { instance: { driver: 'route-null-bsd' } },
    });
    await expect(ask('add', '203.0.113.8', 'npf')).rejects.toThrow(
      'not enforced: npf is not active',
    );
    expect(blocked()).toEqual([]);
  });
});
