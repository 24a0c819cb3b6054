/**
 * The built executable on a machine with the real firewalld: what a reload forgets is put back because
 * firewalld tells of it, and one that does not answer holds up nobody else. Journal and machine are
 * compared at no interval here, so that nothing else can have noticed.
 */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { createFirewalld, type FirewalldHost, preparedZone } from '../kernel/firewalld-host.ts';
import { createHosts, type Hosts } from '../kernel/hosts.ts';
import { requires } from '../requirements.ts';
import { type Agent, createHome, type Home, startAgent } from './agent.ts';

const port = 7_101;
const attacker = '203.0.113.7';
const other = '203.0.113.8';
const repaired = 'repaired what differed from the journal';
const add = { command: 'add', response: 'firewalld-drop', srcip: attacker };
const wait = { timeout: 60_000, interval: 100 };

requires(
  'root',
  'namespaces',
  'ip',
  'nft',
  'socat',
  'dbus-daemon',
  'firewalld',
  'setpriv',
)('beside firewalld', () => {
  let hosts: Hosts;
  let host: FirewalldHost;
  let home: Home;
  let agent: Agent;
  /** How many repairs there were when the test began. */
  let known: number;

  beforeAll(async () => {
    hosts = await createHosts();
    await hosts.serve(port);
    const files = {
      ...preparedZone,
      'zones/public.xml': '<zone target="ACCEPT"><forward/></zone>\n',
    };
    host = await createFirewalld({ namespace: hosts.endpoint, files });
    home = await createHome(hosts.endpoint, settings());
    agent = await startAgent(home);
  });
  beforeEach(async () => {
    known = repairs().length;
    const first = await agent.ask(add);
    expect(first, JSON.stringify(first)).toMatchObject({ ok: true });
    expect(await blocked()).toBe(true);
  });
  afterEach(async () => {
    for (const one of await held()) {
      const [response, srcip] = one.split(' ');
      await agent.ask({ command: 'delete', response, srcip });
    }
  });
  afterAll(async () => {
    await agent?.end('SIGKILL');
    await host?.close();
    await hosts?.close();
    await home?.remove();
  });

  const settings = (limit = ''): string =>
    `<reconcile_every>1d</reconcile_every><dbus_socket>${host.socket}</dbus_socket>${limit}`;
  const blocked = async (): Promise<boolean> => !(await hosts.connects(attacker, port));
  const repairs = () => agent.log.filter(({ msg }) => msg === repaired);
  const since = () => repairs().slice(known);
  const status = async () => {
    const { drivers } = (await agent.ask({ command: 'status' })) as unknown as {
      drivers: { driver: string }[];
    };
    return drivers.find(({ driver }) => driver === 'firewalld');
  };
  const held = async (): Promise<string[]> => {
    const { actions } = (await agent.ask({ command: 'list' })) as unknown as {
      actions: { response: string; target: string; state: string }[];
    };
    return actions.map(({ response, target, state }) => `${response} ${target} ${state}`).sort();
  };

  test('what firewall-cmd --reload and --complete-reload forget is put back, and counted', async () => {
    for (const [index, how] of ['--reload', '--complete-reload'].entries()) {
      expect(await host.cmd(how)).toBe('success');
      await expect.poll(() => since().length, wait).toBe(index + 1);
      expect(since()[index]).toMatchObject({
        driver: 'firewalld',
        noticedBy: 'watch',
        what: 'org.fedoraproject.FirewallD1 on D-Bus began anew, or was changed',
      });
      expect(await blocked()).toBe(true);
      expect(await host.holdings([], ['ar-exec4'])).toBe(`ar-exec4 ${attacker}`);
      expect(await status()).toMatchObject({
        repairs: known + index + 1,
        lastRepair: { noticedBy: 'watch' },
      });
    }
    expect(await agent.ask({ ...add, command: 'delete' })).toMatchObject({ ok: true });
    expect(await blocked()).toBe(false);
    expect(await host.holdings([], ['ar-exec4'])).toBe('');
  });

  test.each([
    ['hangs', () => host.pid()],
    ['hears nothing, as its bus hangs', () => host.busPid()],
  ])('that %s: an honest answer in time, and nobody else notices', async (_, pid) => {
    await home.configure(settings('<tool_time_limit>3s</tool_time_limit>'));
    expect(await agent.ask({ command: 'reload' })).toMatchObject({ ok: true });
    process.kill(pid(), 'SIGSTOP');
    try {
      const order: string[] = [];
      const ask = async (name: string, request: object) => {
        const reply = await agent.ask(request);
        order.push(name);
        return reply;
      };
      const slow = [
        ask('add', { ...add, srcip: other }),
        ask('delete', { ...add, command: 'delete' }),
      ];
      const quick = { ...add, response: 'host-deny' };
      expect(await ask('host-deny', quick)).toMatchObject({ ok: true });
      for (const reply of await Promise.all(slow)) {
        expect(reply).toMatchObject({ ok: false, code: 'driver-timeout' });
        expect(reply['hint']).not.toBe('');
      }
      expect(order[0]).toBe('host-deny');
      // Nobody knows whether the addition came about: what may stand of it is taken back.
      expect(await held()).toEqual([
        `firewalld-drop ${attacker} reverting`,
        `firewalld-drop ${other} reverting`,
        `host-deny ${attacker} active`,
      ]);
    } finally {
      process.kill(pid(), 'SIGCONT');
    }
    await home.configure(settings());
    expect(await agent.ask({ command: 'reload' })).toMatchObject({ ok: true });
    await expect.poll(held, wait).toEqual([`host-deny ${attacker} active`]);
    await expect.poll(() => host.holdings([], ['ar-exec4']), wait).toBe('');
    expect(await blocked()).toBe(false);
    expect(await agent.ask({ ...add, srcip: other })).toMatchObject({ ok: true });
  });

  test('that is dead: an honest answer at once, and all of it when it is back', async () => {
    await host.stop();
    const dead = { ok: false, code: 'driver-unavailable' };
    expect(await agent.ask({ ...add, srcip: other })).toMatchObject(dead);
    expect(await agent.ask({ ...add, response: 'host-deny' })).toMatchObject({ ok: true });
    expect(await held()).toContainEqual(expect.stringMatching(`^firewalld-drop ${attacker} `));
    await host.start();
    await expect.poll(() => host.holdings([], ['ar-exec4']), wait).toBe(`ar-exec4 ${attacker}`);
    expect(await blocked()).toBe(true);
    await expect.poll(held, wait).toContain(`firewalld-drop ${attacker} active`);
    await expect.poll(() => since().length, wait).toBeGreaterThan(0);
  });
});
