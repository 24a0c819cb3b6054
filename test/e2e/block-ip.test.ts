/** "Block this address with whatever is here": machines on which this and that is missing or broken. */
import { readFile, writeFile } from 'node:fs/promises';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { createHosts, type Hosts } from '../kernel/hosts.ts';
import { requires } from '../requirements.ts';
import { type Agent, createHome, type Home, startAgent } from './agent.ts';
import { kernelTargets } from './kernel-holds.ts';

const port = 7_000;
const attacker = '203.0.113.7';
const attacker6 = '2001:db8::7';
const add = { command: 'add', response: 'block-ip', srcip: attacker };
const remove = { ...add, command: 'delete' };

/** A machine like this one, whose /usr/sbin was changed by a script; it ends with the agent. */
const machineWith = (change: string): readonly string[] => {
  const script = `set -e
    mount -t tmpfs none /mnt
    mkdir /mnt/upper /mnt/work
    mount -t overlay none -o lowerdir=/usr/sbin,upperdir=/mnt/upper,workdir=/mnt/work /usr/sbin
    ${change}
    exec "$@"`;
  return ['unshare', '--mount', 'sh', '-c', script, 'sh'];
};
const withoutNft = machineWith('rm /usr/sbin/nft');
/** It passes every probe, and takes no element. */
const withNftThatFails = machineWith(`mv /usr/sbin/nft /usr/sbin/real-nft
    cat > /usr/sbin/nft <<'END'
#!/bin/sh
input=$(cat)
case "$input" in *'add element'*) echo 'Error: No space left on device' >&2; exit 1;; esac
printf '%s\\n' "$input" | real-nft "$@"
END
    chmod 755 /usr/sbin/nft`);

requires(
  'root',
  'namespaces',
  'ip',
  'nft',
  'ipset',
  'iptables',
  'socat',
  'unshare',
)('block-ip', () => {
  let hosts: Hosts;
  let home: Home;
  let agent: Agent;

  beforeAll(async () => {
    hosts = await createHosts();
    await hosts.serve(port);
  });
  beforeEach(async () => {
    home = await createHome(hosts.endpoint);
  });
  afterEach(async () => {
    await agent?.end('SIGKILL');
    // What is left of iptables would keep a set from being destroyed.
    await hosts.exec(['nft', 'flush', 'ruleset']);
    await hosts.exec(['ipset', 'destroy']);
    await home.remove();
  });
  afterAll(() => hosts?.close());

  const start = async (before: readonly string[] = []): Promise<void> => {
    agent = await startAgent({ ...home, before });
  };
  const configure = async (settings: string): Promise<void> => {
    const text = await readFile(home.config, 'utf8');
    await writeFile(home.config, text.replace('</ar-exec>', `${settings}</ar-exec>`));
  };
  const blocked = async (from: string): Promise<boolean> => !(await hosts.connects(from, port));
  const drivers = async () => {
    const reply = await agent.ask({ command: 'list' });
    const actions = reply['actions'] as { target: string; driver: string; state: string }[];
    return Object.fromEntries(actions.map((one) => [one.target, `${one.state} ${one.driver}`]));
  };

  test('is taken back by the driver that did it, whatever is preferred by then', async () => {
    await start();
    expect(await agent.ask(add)).toMatchObject({ ok: true, driver: 'nftables' });
    expect(await agent.end()).toBe(0);
    await configure('<driver response="block-ip">ipset, hosts-deny</driver>');
    await start();
    expect(await agent.ask({ ...add, srcip: attacker6 })).toMatchObject({ driver: 'ipset' });
    expect(await drivers()).toEqual({ [attacker]: 'active nftables', [attacker6]: 'active ipset' });
    expect([await blocked(attacker), await blocked(attacker6)]).toEqual([true, true]);
    expect(await agent.ask({ ...add, timeoutSeconds: 600 })).toMatchObject({ driver: 'nftables' });
    expect(await agent.ask(remove)).toMatchObject({ ok: true, driver: 'nftables' });
    expect([await blocked(attacker), await blocked(attacker6)]).toEqual([false, true]);
    expect(await agent.ask({ ...remove, srcip: attacker6 })).toMatchObject({ driver: 'ipset' });
    expect(await blocked(attacker6)).toBe(false);
  });

  test('is taken back by the driver that did it, once that is there again', async () => {
    await start();
    await agent.ask(add);
    await agent.ask({ ...add, srcip: attacker6, timeoutSeconds: 600 });
    expect(await agent.end()).toBe(0);
    await start(withoutNft);
    // What is new goes to what is here.
    expect(await agent.ask({ ...add, srcip: '203.0.113.8' })).toMatchObject({ driver: 'ipset' });
    expect(await agent.ask(remove)).toMatchObject({ ok: false, code: 'driver-unavailable' });
    expect(await drivers()).toMatchObject({
      [attacker]: 'reverting nftables',
      '203.0.113.8': 'active ipset',
    });
    expect(await agent.ask({ command: 'status' })).toMatchObject({ healthy: false });
    expect(await kernelTargets(hosts)).toEqual([attacker6, attacker]);
    expect(await agent.end()).toBe(0);
    await start();
    expect(await kernelTargets(hosts)).toEqual([attacker6]);
    expect(await drivers()).toEqual({
      [attacker6]: 'active nftables',
      '203.0.113.8': 'active ipset',
    });
    expect([await blocked(attacker), await blocked('203.0.113.8')]).toEqual([false, true]);
  });

  test('goes to the next driver when the first one fails at it, and holds nothing there', async () => {
    await start(withNftThatFails);
    expect(await agent.ask({ ...add, timeoutSeconds: 600 })).toMatchObject({
      ok: true,
      driver: 'ipset',
    });
    expect(await blocked(attacker)).toBe(true);
    expect(await kernelTargets(hosts)).toEqual([]);
    expect(await drivers()).toEqual({ [attacker]: 'active ipset' });
    const trouble = await agent.logged('trouble');
    expect(trouble).toMatchObject({ driver: 'nftables' });
    expect(JSON.stringify(trouble)).toContain('No space left on device');
    await agent.end('SIGKILL');
    // The next agent has an nft that works, and still asks ipset.
    await start();
    expect(await agent.ask(remove)).toMatchObject({ ok: true, driver: 'ipset' });
    expect(await blocked(attacker)).toBe(false);
    const sets = () => hosts.exec(['ipset', 'list', '-name']);
    await expect.poll(sets, { timeout: 10_000 }).toBe('');
    expect(await agent.ask(add)).toMatchObject({ ok: true, driver: 'nftables' });
  });

  test('tells a manager of the end alone, not of the drivers that were passed over', async () => {
    await start(withNftThatFails);
    const alert = { rule: { level: 10, id: '5712' }, data: { srcip: attacker } };
    const message = {
      version: 1,
      origin: { name: 'node01', module: 'wazuh-analysisd' },
      command: 'block-ip600',
      parameters: { extra_args: [], alert },
    };
    await agent.ask(message);
    await agent.logged('active');
    await agent.end();
    const log = await readFile(home.managerLog, 'utf8');
    expect(log).toContain('"command":"continue"');
    expect(log).not.toContain('No space left on device');
    expect(log.match(/: Starting$/gm)).toHaveLength(1);
  });

  test('sends each address family to the first that serves it', async () => {
    await hosts.exec(
      ['nft', '-f', '-'],
      `table inet office {
        set bad4 { type ipv4_addr; flags timeout; }
        chain input { type filter hook input priority 0; ip saddr @bad4 drop; }
      }`,
    );
    await configure(`<driver response="block-ip">nftables-set, nftables</driver>
      <nftables_set><ipv4>inet office bad4</ipv4><ipv6>inet office bad6</ipv6></nftables_set>`);
    await start();
    expect(await agent.ask(add)).toMatchObject({ ok: true, driver: 'nftables-set' });
    const other = await agent.ask({ ...add, srcip: attacker6 });
    expect(other).toMatchObject({ ok: true, driver: 'nftables' });
    expect([await blocked(attacker), await blocked(attacker6)]).toEqual([true, true]);
    await agent.ask(remove);
    await agent.ask({ ...remove, srcip: attacker6 });
    expect([await blocked(attacker), await blocked(attacker6)]).toEqual([false, false]);
  });
});
