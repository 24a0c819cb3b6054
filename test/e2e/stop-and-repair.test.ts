import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { createHosts, type Hosts } from '../kernel/hosts.ts';
import { requires } from '../requirements.ts';
import { type Agent, createHome, type Home, startAgent } from './agent.ts';
import { kernelHolds, kernelTargets } from './kernel-holds.ts';

const port = 7_000;
const attacker = '203.0.113.7';
const add = { command: 'add', response: 'firewall-drop', srcip: attacker };
const reconcileMs = 15_000;

/** What somebody else has in the same kernel, with a name close to ours. */
const foreign = `table inet ar-exec-office {
  set hosts4 { type ipv4_addr; elements = { 192.0.2.9 } }
  chain input { type filter hook input priority 0; ip saddr @hosts4 drop; }
}`;

requires(
  'root',
  'namespaces',
  'ip',
  'nft',
  'socat',
)('an agent', () => {
  let hosts: Hosts;
  let home: Home;
  let agent: Agent | undefined;

  beforeAll(async () => {
    hosts = await createHosts();
    await hosts.serve(port);
  });
  afterEach(async () => {
    await agent?.end('SIGKILL');
    agent = undefined;
    await hosts.exec(['nft', 'flush', 'ruleset']);
    await home.remove();
  });
  afterAll(() => hosts?.close());

  const begin = async (settings = ''): Promise<Agent> => {
    home = await createHome(hosts.endpoint, settings);
    agent = await startAgent(home);
    return agent;
  };

  test.each(['SIGTERM', 'SIGINT'] as const)(
    'that is stopped by %s keeps its effects',
    async (signal) => {
      const stopped = await begin();
      await stopped.ask({ ...add, timeoutSeconds: 600 });
      await stopped.ask({ ...add, response: 'host-deny' });
      expect(await stopped.end(signal)).toBe(0);
      expect(existsSync(home.socket)).toBe(false);
      expect(await kernelTargets(hosts)).toEqual([attacker]);
      expect(await hosts.connects(attacker, port)).toBe(false);
      expect(await readFile(home.hostsDeny, 'utf8')).toContain(attacker);

      const next = await startAgent(home);
      expect(await next.ask({ command: 'list' })).toMatchObject({ held: 2 });
      expect(await next.end()).toBe(0);
    },
  );

  test('that is stopped takes its effects back, where it is told to', async () => {
    const before = '# somebody wrote this\nsshd: 192.0.2.1\n';
    const stopped = await begin('<on_stop>revert</on_stop>');
    await writeFile(home.hostsDeny, before);
    await stopped.ask(add);
    await stopped.ask({ ...add, srcip: '2001:db8::/48', timeoutSeconds: 600 });
    await stopped.ask({ ...add, response: 'host-deny' });
    await stopped.ask({ ...add, response: 'route-null' });
    expect(await hosts.connects(attacker, port)).toBe(false);

    expect(await stopped.end()).toBe(0);
    expect(existsSync(home.socket)).toBe(false);
    expect(await hosts.exec(['nft', 'list', 'ruleset'])).toBe('');
    expect(await hosts.exec(['ip', 'route', 'show', 'type', 'blackhole'])).toBe('');
    expect(await readFile(home.hostsDeny, 'utf8')).toBe(before);
    expect(await hosts.connects(attacker, port)).toBe(true);

    const next = await startAgent(home);
    expect(await next.ask({ command: 'list' })).toMatchObject({ held: 0 });
    expect(await next.end()).toBe(0);
  });

  test('that is stopped answers what it has begun, and refuses the rest', async () => {
    const stopped = await begin();
    const peer = await stopped.connect();
    const requests = Array.from({ length: 200 }, (_, id) => ({
      ...add,
      id,
      srcip: `198.51.100.${id}`,
    }));
    for (const request of requests) peer.send(request);
    await peer.next();
    const ended = stopped.end();
    const replies = await peer.rest();
    expect(await ended).toBe(0);
    expect(replies).toHaveLength(requests.length - 1);
    const refused = replies.filter(({ ok }) => ok === false);
    expect(refused.every(({ code }) => code === 'agent-stopping')).toBe(true);
    expect(await kernelTargets(hosts)).toHaveLength(requests.length - refused.length);
  });

  test('does not mind a terminal that is closed', async () => {
    const running = await begin();
    process.kill(running.pid, 'SIGHUP');
    expect(await running.ask({ command: 'status' })).toMatchObject({ healthy: true });
  });

  test('comes back from SIGKILL, also over the socket that was left', async () => {
    const killed = await begin();
    await killed.ask({ ...add, timeoutSeconds: 600 });
    await killed.end('SIGKILL');
    expect(existsSync(home.socket)).toBe(true);
    expect(await hosts.connects(attacker, port)).toBe(false);
    agent = await startAgent(home);
    expect(await agent.ask({ command: 'list' })).toMatchObject({ held: 1 });
    expect(await kernelTargets(hosts)).toEqual([attacker]);
  });

  test('reverts at its start what ended while it was away', async () => {
    const killed = await begin();
    await killed.ask({ ...add, response: 'host-deny', timeoutSeconds: 1 });
    await killed.end('SIGKILL');
    expect(await readFile(home.hostsDeny, 'utf8')).toContain(attacker);
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    agent = await startAgent(home);
    expect(await agent.ask({ command: 'list' })).toMatchObject({ held: 0 });
    const text = await readFile(home.hostsDeny, 'utf8').catch(() => '');
    expect(text).not.toContain(attacker);
  });

  test('puts back what somebody flushed, with the time that is left, and nothing else', async () => {
    const running = await begin('<reconcile_every>5s</reconcile_every>');
    await running.ask({ ...add, timeoutSeconds: 600 });
    await running.ask({ ...add, srcip: '2001:db8::/48' });
    // It would be back before a packet could be tried.
    process.kill(running.pid, 'SIGSTOP');
    await hosts.exec(['nft', '-f', '-'], `flush ruleset\n${foreign}\n`);
    const theirs = await hosts.exec(['nft', 'list', 'table', 'inet', 'ar-exec-office']);
    expect(await hosts.connects(attacker, port)).toBe(true);
    process.kill(running.pid, 'SIGCONT');

    const repaired = await within(
      reconcileMs,
      running.logged('repaired what differed from the journal'),
    );
    expect(repaired).toMatchObject({ driver: 'nftables', reapplied: 2, removed: 0 });
    expect(await kernelTargets(hosts)).toEqual(['2001:db8::/48', attacker]);
    const [held] = (await kernelHolds(hosts)).filter(({ target }) => target === attacker);
    expect(held?.expires).toBeGreaterThan(580);
    expect(held?.expires).toBeLessThanOrEqual(600);
    expect(await hosts.connects(attacker, port)).toBe(false);
    expect(await hosts.exec(['nft', 'list', 'table', 'inet', 'ar-exec-office'])).toBe(theirs);
  });

  test('leaves alone what stood before it', async () => {
    await hosts.exec(['ip', 'route', 'add', 'blackhole', attacker]);
    const running = await begin();
    await writeFile(home.hostsDeny, `ALL: ${attacker}\n`);
    // A route stands once; hosts.deny takes our line beside theirs.
    const routed = await running.ask({ ...add, response: 'route-null' });
    expect(routed).toMatchObject({ ok: true, preExisting: true });
    expect(await running.ask({ ...add, response: 'host-deny' })).toMatchObject({ ok: true });
    for (const response of ['route-null', 'host-deny']) {
      expect(await running.ask({ ...add, command: 'delete', response })).toMatchObject({
        ok: true,
      });
    }
    expect(await hosts.exec(['ip', 'route', 'show', 'type', 'blackhole'])).toContain(attacker);
    expect(await readFile(home.hostsDeny, 'utf8')).toBe(`ALL: ${attacker}\n`);
    await hosts.exec(['ip', 'route', 'del', 'blackhole', attacker]);
  });
});

function within<Result>(ms: number, work: Promise<Result>): Promise<Result> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`not within ${ms} ms`)), ms);
    work.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
