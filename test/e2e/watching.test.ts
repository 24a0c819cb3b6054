/**
 * What somebody else does to effects is noticed because somebody listens for it, and put right at once.
 * Journal and machine are compared at no interval here, so that nothing else can have noticed.
 */
import { readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { accountMachine, hash, insideEtc } from '../kernel/account-machine.ts';
import { createHosts, type Hosts } from '../kernel/hosts.ts';
import { requires } from '../requirements.ts';
import { type Agent, createHome, type Home, type LogLine, startAgent } from './agent.ts';

const port = 7_100;
const attacker = '203.0.113.7';
const repaired = 'repaired what differed from the journal';
const fought = 'somebody undoes what is put back, again and again: it is put back more slowly';

interface Case {
  readonly name: string;
  /** The response, and the driver that it is to use. */
  readonly response?: string;
  readonly driver: string;
  readonly settings?: string;
  /** What has to be there before the agent begins. */
  readonly before?: readonly string[];
  /** What somebody does, one after the other. */
  readonly damage: readonly string[] | ((home: Home) => Promise<void>);
  readonly what: RegExp;
  /** What keeps packets out anew; a path of a file otherwise. */
  readonly stands?: (home: Home) => Promise<boolean>;
}

const legacy = '<iptables_variant>legacy</iptables_variant>';
const nft = '<iptables_variant>nft</iptables_variant>';
const ownSet = 'inet filter ossec_ar4';

const cases: readonly Case[] = [
  {
    name: 'nft flush ruleset',
    driver: 'nftables',
    damage: ['nft flush ruleset'],
    what: /nftables table inet ar-exec: .* deleted by nft/,
  },
  {
    name: 'nft flush chain, by which nothing of the set is lost',
    driver: 'nftables',
    damage: ['nft flush chain inet ar-exec hosts4-input'],
    what: /rule deleted by nft/,
  },
  {
    name: 'a set of theirs emptied',
    response: 'nftables-drop',
    driver: 'nftables-set',
    before: [
      'nft add table inet filter',
      `nft add set ${ownSet} { type ipv4_addr; flags timeout; }`,
      'nft add set inet filter ossec_ar6 { type ipv6_addr; flags timeout; }',
      'nft add chain inet filter input { type filter hook input priority 0; }',
      'nft add rule inet filter input ip saddr @ossec_ar4 drop',
    ],
    damage: [`nft flush set ${ownSet}`],
    what: /element of ossec_ar4 deleted by nft/,
  },
  {
    name: 'iptables -F and -X of the nft variant',
    driver: 'iptables',
    settings: nft,
    damage: ['iptables-nft -t mangle -F', 'iptables-nft -t mangle -X'],
    what: /nftables table ip mangle: rule deleted by iptables/,
  },
  {
    name: 'rules put above ours, as Docker does',
    driver: 'iptables',
    settings: nft,
    damage: [
      'iptables-nft -t mangle -N DOCKER-LIKE',
      'iptables-nft -t mangle -A DOCKER-LIKE -j ACCEPT',
      'iptables-nft -t mangle -I INPUT -j DOCKER-LIKE',
    ],
    what: /nftables table ip mangle: (chain|rule) added by iptables/,
  },
  {
    name: 'iptables -F and -X of the legacy variant',
    driver: 'iptables',
    settings: legacy,
    damage: ['iptables-legacy -t mangle -F', 'iptables-legacy -t mangle -X'],
    what: /table mangle of iptables changed/,
  },
  {
    name: 'rules put above ours in the legacy variant',
    driver: 'iptables',
    settings: legacy,
    damage: ['iptables-legacy -t mangle -I INPUT -j ACCEPT'],
    what: /table mangle of iptables changed/,
  },
  {
    name: 'iptables -F and ipset destroy',
    driver: 'ipset',
    settings: nft,
    damage: ['iptables-nft -t mangle -F', 'ipset destroy'],
    what: /nftables table ip mangle: rule deleted|of ipset: 1 entries fewer/,
  },
  {
    name: 'ipset flush',
    driver: 'ipset',
    settings: legacy,
    damage: ['ipset flush'],
    what: /of ipset: 1 entries fewer/,
  },
  {
    name: 'a route deleted',
    response: 'route-null',
    driver: 'route-null',
    damage: [`ip route del blackhole ${attacker}`],
    what: /route deleted by process \d+/,
  },
  {
    name: 'hosts.deny written anew in its place',
    response: 'host-deny',
    driver: 'hosts-deny',
    damage: (home) => writeFile(home.hostsDeny, '# by somebody else\n'),
    what: /hosts\.deny was changed by somebody else/,
    stands: inHostsDeny,
  },
  {
    name: 'hosts.deny replaced as a whole',
    response: 'host-deny',
    driver: 'hosts-deny',
    damage: async (home) => {
      await writeFile(`${home.hostsDeny}.new`, '# by somebody else\n');
      await rename(`${home.hostsDeny}.new`, home.hostsDeny);
    },
    what: /hosts\.deny was changed by somebody else/,
    stands: inHostsDeny,
  },
  {
    name: 'a file of the block folder removed',
    response: 'ip-customblock',
    driver: 'block-file',
    damage: (home) => rm(join(blockFolder(home), attacker)),
    what: /ipblock.* was changed by somebody else/,
    stands: inBlockFolder,
  },
  {
    name: 'the block folder removed',
    response: 'ip-customblock',
    driver: 'block-file',
    damage: (home) => rm(blockFolder(home), { recursive: true }),
    what: /ipblock.* was changed by somebody else/,
    stands: inBlockFolder,
  },
];

requires(
  'root',
  'namespaces',
  'ip',
  'nft',
  'ipset',
  'iptables-nft',
  'iptables-legacy',
  'socat',
  'unshare',
  'usermod',
)('somebody else', () => {
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
    await clean();
    await home.remove();
  });
  afterAll(() => hosts?.close());

  const clean = async (): Promise<void> => {
    for (const tool of ['iptables', 'ip6tables']) {
      await hosts.exec([`${tool}-legacy`, '-t', 'mangle', '-F']);
      await hosts.exec([`${tool}-legacy`, '-t', 'mangle', '-X']);
    }
    await hosts.exec(['nft', 'flush', 'ruleset']);
    await hosts.exec(['ipset', 'destroy']);
    await hosts.exec(['ip', 'route', 'flush', 'type', 'blackhole']);
  };
  const begin = async (settings = '', before: readonly string[] = []): Promise<Agent> => {
    const all = `<reconcile_every>1d</reconcile_every>${settings}`;
    home = await createHome(hosts.endpoint, all, before);
    agent = await startAgent(home);
    return agent;
  };
  const does = async (words: readonly string[]): Promise<void> => {
    for (const line of words) await hosts.exec(line.split(' '));
  };
  /** What was done first is not to be put back before the rest is done. */
  const doesAll = async (running: Agent, words: readonly string[]): Promise<void> => {
    if (words.length === 1) return does(words);
    process.kill(running.pid, 'SIGSTOP');
    await does(words).finally(() => process.kill(running.pid, 'SIGCONT'));
  };
  /** The lines of the log that tell of a repair. */
  const repairs = (running: Agent): LogLine[] => running.log.filter(({ msg }) => msg === repaired);
  const ofDriver = async (running: Agent, driver: string): Promise<Record<string, unknown>> => {
    const { drivers } = (await running.ask({ command: 'status' })) as unknown as {
      drivers: (Record<string, unknown> & { driver: string })[];
    };
    return drivers.find((one) => one.driver === driver) ?? {};
  };

  test.each(cases)('$name: put back, and counted', async (one) => {
    const { driver, response = 'firewall-drop', settings = '', before = [], damage } = one;
    await does(before);
    const running = await begin(`<driver response="${response}">${driver}</driver>${settings}`);
    const add = { command: 'add', response, srcip: attacker, timeoutSeconds: 600 };
    expect(await running.ask(add)).toMatchObject({ ok: true });
    const stands = (): Promise<boolean> =>
      one.stands === undefined
        ? hosts.connects(attacker, port).then((connects) => !connects)
        : one.stands(home);
    expect(await stands()).toBe(true);
    expect(await ofDriver(running, driver)).toMatchObject({ repairs: 0 });

    if (typeof damage === 'function') await damage(home);
    else await doesAll(running, damage);
    const line = await running.logged(repaired);
    expect(line).toMatchObject({
      driver,
      noticedBy: 'watch',
      what: expect.stringMatching(one.what),
    });
    // Of several things that were done, the last can have been noticed on its own.
    await expect.poll(stands, { timeout: 10_000 }).toBe(true);
    for (const each of repairs(running)) expect(each['noticedBy']).toBe('watch');
    const told = await ofDriver(running, driver);
    expect(told).toMatchObject({
      repairs: repairs(running).length,
      lastRepair: { noticedBy: 'watch' },
    });
    expect(told).not.toHaveProperty('notWatched');
    const shown = await home.run(['status']);
    expect(shown.stdout).toMatch(/put right \d+ times, last .*\(watch: /);
    const gone = await running.ask({ command: 'delete', response, srcip: attacker });
    expect(gone).toMatchObject({ ok: true });
  });

  test('of what the kernel had no room to tell, everything is looked at', async () => {
    const running = await begin();
    const add = { command: 'add', response: 'firewall-drop', srcip: attacker };
    expect(await running.ask(add)).toMatchObject({ ok: true });
    process.kill(running.pid, 'SIGSTOP');
    try {
      // In a table that is none of our business; what comes after it is told to nobody.
      do await hosts.exec(['nft', '-f', '-'], flood);
      while ((await untold()) === 0);
      await does(['nft delete table inet ar-exec']);
      expect(await hosts.connects(attacker, port)).toBe(true);
    } finally {
      process.kill(running.pid, 'SIGCONT');
    }
    const noticedBy = 'watch';
    const what = 'more happened than the kernel could tell';
    expect(await running.logged(repaired)).toMatchObject({ driver: 'nftables', noticedBy, what });
    await expect.poll(() => hosts.connects(attacker, port), { timeout: 10_000 }).toBe(false);
    // It hears what comes next.
    await does(['nft flush ruleset']);
    await expect.poll(() => repairs(running).length, { timeout: 60_000 }).toBe(2);
    expect(repairs(running)[1]).toMatchObject({
      noticedBy,
      what: expect.stringMatching(/deleted by nft/),
    });
    await expect.poll(() => hosts.connects(attacker, port), { timeout: 10_000 }).toBe(false);
  });

  /** How many messages about nftables found no room, of this machine's listeners. */
  const untold = async (): Promise<number> => {
    const table = await hosts.exec(['cat', '/proc/net/netlink']);
    const rows = table.split('\n').map((line) => line.trim().split(/\s+/));
    const ofNftables = rows.filter(
      ([, protocol, , groups]) => `${protocol} ${groups}` === '12 00000040',
    );
    return ofNftables.reduce((sum, row) => sum + Number(row[8]), 0);
  };

  test('an account that somebody unlocks is locked again, however it was done', async () => {
    const accounts = await accountMachine();
    try {
      accounts.add('alice', { expire: '40000' });
      const running = await begin('', insideEtc(accounts.etc, []));
      const about = { response: 'disable-account', user: 'alice' };
      expect(await running.ask({ command: 'add', ...about })).toMatchObject({ ok: true });
      const disabled = { field: `!${hash}`, expire: '1' };
      const ways = [
        () => accounts.exec(['usermod', '-U', '-e', '', 'alice']),
        async () =>
          accounts.edit('shadow', (text) => text.replace(`alice:!${hash}`, `alice:${hash}`)),
      ];
      for (const [index, unlock] of ways.entries()) {
        expect(accounts.line('alice')).toMatchObject(disabled);
        await unlock();
        await expect.poll(() => repairs(running).length, { timeout: 60_000 }).toBe(index + 1);
        expect(repairs(running)[index]).toMatchObject({
          driver: 'account',
          noticedBy: 'watch',
          what: expect.stringMatching(/^\/etc\/(passwd|shadow) was changed by somebody else/),
        });
      }
      expect(accounts.line('alice')).toMatchObject(disabled);
      expect(await ofDriver(running, 'account')).toMatchObject({ repairs: ways.length });
      expect(await running.ask({ command: 'delete', ...about })).toMatchObject({ ok: true });
      expect(accounts.line('alice')).toMatchObject({ field: hash, expire: '40000' });
    } finally {
      await accounts.close();
    }
  });

  test('what is our own doing sets off no look', async () => {
    const running = await begin('<log_level>debug</log_level>');
    const looks = (): number => running.log.filter(({ noticedBy }) => noticedBy === 'watch').length;
    const peer = await running.connect();
    const responses = ['firewall-drop', 'route-null', 'host-deny', 'ip-customblock'];
    for (const command of ['add', 'delete'] as const) {
      let sent = 0;
      for (const response of responses) {
        for (let host = 0; host < 500; host += 1) {
          const srcip = `198.18.${Math.floor(host / 250)}.${(host % 250) + 1}`;
          sent += 1;
          peer.send({ id: sent, command, response, srcip });
        }
      }
      for (let count = 0; count < sent; count += 1) {
        expect(await peer.next()).toMatchObject({ ok: true });
      }
    }
    // Whatever the kernel and the file system told of that has come before what they tell of this.
    await running.ask({ command: 'add', response: 'firewall-drop', srcip: attacker });
    await does(['nft flush ruleset']);
    await running.logged(repaired);
    const byWatch = running.log.filter(({ noticedBy }) => noticedBy === 'watch');
    expect(byWatch.filter(({ driver }) => driver !== 'nftables')).toEqual([]);
    expect(byWatch[0]).toMatchObject({ msg: repaired });
    expect(looks()).toBe(byWatch.length);
    peer.close();
  });

  test('who undoes it again and again is told of, and is answered more slowly', async () => {
    const running = await begin();
    await running.ask({ command: 'add', response: 'firewall-drop', srcip: attacker });
    const processes = await childrenOf(running.pid);
    let flushes = 0;
    while (!running.log.some(({ msg }) => msg === fought)) {
      await does(['nft flush ruleset']);
      flushes += 1;
      const known = repairs(running).length;
      await expect
        .poll(() => repairs(running).length, { timeout: 20_000 })
        .toBeGreaterThan(known - 1);
    }
    const line = await running.logged(fought);
    expect(line).toMatchObject({ level: 'warn', driver: 'nftables', pauseMs: 1_000 });
    expect(await ofDriver(running, 'nftables')).toMatchObject({ fighting: true });
    // From here on flushing costs the agent nothing, however often: one look after the pause.
    const before = repairs(running).length;
    for (let count = 0; count < 100; count += 1) await does(['nft flush ruleset']);
    await expect
      .poll(() => running.log.filter(({ msg }) => msg === fought).length, { timeout: 20_000 })
      .toBeGreaterThan(1);
    expect(repairs(running).length - before).toBeLessThan(10);
    expect((await childrenOf(running.pid)).length).toBeLessThanOrEqual(processes.length + 3);
    const pauses = running.log.filter(({ msg }) => msg === fought).map(({ pauseMs }) => pauseMs);
    expect(pauses.slice(0, 2)).toEqual([1_000, 2_000]);
    expect(flushes).toBeGreaterThanOrEqual(3);
    // What is asked for meanwhile is not held up.
    const add = { command: 'add', response: 'firewall-drop', srcip: '198.51.100.9' };
    expect(await running.ask(add)).toMatchObject({ ok: true });
    await expect.poll(() => hosts.connects(attacker, port), { timeout: 20_000 }).toBe(false);
  }, 180_000);
});

/** Rules of somebody else, made and taken away: the kernel tells of it with 17 MB. */
const flood = (() => {
  const words = Array.from({ length: 24 }, (_, index) => `ip saddr 198.18.${index}.${index}`);
  const rule = `${words.join(' ')} counter comment "${'x'.repeat(120)}"`;
  const rules = Array.from({ length: 2_000 }, () => rule).join('\n');
  return `table ip flood {\nchain c {\n${rules}\n}\n}\nflush chain ip flood c\n`;
})();

function blockFolder({ folder }: Home): string {
  return join(folder, 'ipblock');
}

async function inHostsDeny({ hostsDeny }: Home): Promise<boolean> {
  return (await readFile(hostsDeny, 'utf8').catch(() => '')).includes(`ALL:${attacker}`);
}

async function inBlockFolder(home: Home): Promise<boolean> {
  return (await readdir(blockFolder(home)).catch((): string[] => [])).includes(attacker);
}

/** The processes that an agent has started. */
async function childrenOf(pid: number): Promise<string[]> {
  const listed = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8');
  return listed.split(' ').filter((word) => word !== '');
}
