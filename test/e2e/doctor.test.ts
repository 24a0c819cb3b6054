import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Report } from '../../agent/doctor/report.ts';
import { createHosts, type Hosts } from '../kernel/hosts.ts';
import { requires } from '../requirements.ts';
import { type Agent, createHome, type Home, startAgent } from './agent.ts';

const executable = fileURLToPath(new URL('../../build/out/ar-exec', import.meta.url));

requires(
  'root',
  'namespaces',
  'ip',
  'nft',
  'socat',
  'iptables-legacy',
  'setpriv',
)('ar-exec doctor', () => {
  let hosts: Hosts;
  let home: Home;

  beforeAll(async () => {
    hosts = await createHosts();
    home = await createHome(hosts.endpoint);
  });
  afterAll(async () => {
    await home?.remove();
    await hosts?.close();
  });

  const report = async (
    words: readonly string[] = [],
  ): Promise<{ status: number; report: Report }> => {
    const { status = -1, stdout } = await home.run(['doctor', '--json', ...words]);
    return { status, report: JSON.parse(stdout) };
  };

  /**
   * The same on another machine: `setup` is a shell script in a mount namespace of its own, where it
   * may put anything anywhere; `as` starts the command in another way.
   */
  const elsewhere = async (setup: string, as: readonly string[] = []) => {
    const places = ['--config', home.config, '--state', home.state, '--socket', home.socket];
    const command = [...as, executable, 'doctor', '--json', ...places];
    const script = `set -e\n${setup}\nexec "$@"`;
    const shell = ['unshare', '--mount', 'sh', '-c', script, 'sh', ...command];
    const result = await execa('ip', ['netns', 'exec', hosts.endpoint, ...shell], {
      reject: false,
      env: { SCRATCH: home.folder },
    });
    if (result.stdout === '') throw new Error(result.stderr);
    return { status: result.exitCode ?? -1, report: JSON.parse(result.stdout) as Report };
  };

  const ids = ({ findings }: Report) => findings.map(({ id, level }) => `${level} ${id}`);

  describe('with an agent', () => {
    let agent: Agent;
    beforeAll(async () => {
      agent = await startAgent(home);
    });
    afterAll(async () => {
      await agent?.end();
    });

    test('finds it well, and says who would do what', async () => {
      const { status, report: found } = await report();
      expect(found).toMatchObject({ ok: true, agent: { runs: true, healthy: true } });
      expect(status).toBe(0);
      expect(found.responses).toContainEqual(
        expect.objectContaining({ response: 'firewall-drop', ipv4: 'nftables', ipv6: 'nftables' }),
      );
      expect(ids(found)).toContain('ok agent-healthy');
      expect(ids(found)).not.toContain('warning driver-changed');
    });

    test('tells a person the same', async () => {
      const { status, stdout } = await home.run(['doctor']);
      expect(status).toBe(0);
      expect(stdout).toMatch(/^agent: runs, version \S+, process \d+: all is as it should be$/m);
      expect(stdout).toMatch(/^nftables +yes +nft v/m);
      expect(stdout).toMatch(/^firewall-drop +nftables +nftables$/m);
      expect(stdout).toMatch(/^\d+ problems?, \d+ warnings?, \d+ notes?$/m);
    });

    test('changes nothing', async () => {
      const look = () =>
        Promise.all([hosts.exec(['nft', 'list', 'ruleset']), agent.ask({ command: 'list' })]);
      const before = await look();
      await report();
      expect(await look()).toEqual(before);
    });

    test('notices a tool that went away after the start', async () => {
      const { report: found } = await elsewhere('mount --bind /dev/null /usr/sbin/nft');
      const changed = found.findings.find(({ id }) => id === 'driver-changed');
      expect(changed?.what).toContain('nftables could be used when the agent started');
    });
  });

  test('without an agent it says so, and that is no problem', async () => {
    const { status, report: found } = await report();
    expect({ status, ids: ids(found) }).toMatchObject({
      status: 0,
      ids: expect.arrayContaining(['warning agent-absent']),
    });
  });

  test('a tool that is missing comes with the command of this distribution', async () => {
    const { report: found } = await elsewhere(`
      printf 'ID="rocky"\\nID_LIKE="rhel fedora"\\nPRETTY_NAME="Rocky Linux 9"\\n' > "$SCRATCH/os"
      mount --bind "$SCRATCH/os" /etc/os-release
      mount --bind /dev/null /usr/sbin/nft`);
    expect(found.system).toContain('Rocky Linux 9');
    expect(found.drivers).toContainEqual(
      expect.objectContaining({
        driver: 'nftables',
        usable: false,
        missing: ['nft'],
        install: 'dnf install nftables',
      }),
    );
    expect(found.responses).toContainEqual(
      expect.objectContaining({ response: 'firewall-drop', ipv4: 'ipset' }),
    );
  });

  test('root without CAP_NET_ADMIN is a problem', async () => {
    const { status, report: found } = await elsewhere('', ['setpriv', '--bounding-set=-net_admin']);
    expect(ids(found)).toContain('problem no-net-admin');
    expect(found.ok).toBe(false);
    expect(status).toBe(10);
  });

  test('a configuration that cannot be used is a problem, and the rest is told all the same', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'ar-exec-doctor-'));
    const file = join(folder, 'broken.conf');
    await writeFile(file, '<ar-exec><on_stop>maybe</on_stop></ar-exec>', { mode: 0o600 });
    const result = await home.run(['doctor', '--json', '--config', file], {
      env: { AR_EXEC_STATE: home.state, AR_EXEC_SOCKET: home.socket },
    });
    await rm(folder, { recursive: true });
    const found: Report = JSON.parse(result.stdout);
    expect(result.status).toBe(10);
    expect(found.findings[0]).toMatchObject({ id: 'config-invalid', level: 'problem' });
    expect(found.findings[0]?.what).toContain('on_stop');
    expect(found.drivers.length).toBeGreaterThan(4);
  });

  describe('sees what would not act', () => {
    /** A program as /usr/sbin/sshd, in a layer that only the command sees. */
    const asSshd = (program: string) => `
      mount -t tmpfs none /mnt
      mkdir /mnt/upper /mnt/work
      mount -t overlay none -o lowerdir=/usr/sbin,upperdir=/mnt/upper,workdir=/mnt/work /usr/sbin
      cp ${program} /usr/sbin/sshd`;

    test('an sshd that is built without libwrap', async () => {
      const { report: found } = await elsewhere(asSshd('/usr/bin/true'));
      expect(ids(found)).toContain('warning hosts-deny-not-read-by-sshd');
    });

    test('and not one that is built with it', async () => {
      // On Debian, socat is.
      const { report: found } = await elsewhere(asSshd('/usr/bin/socat'));
      const read = found.findings.find(({ id }) => id === 'hosts-deny-read');
      expect(read?.what).toBe('hosts.deny is read by sshd.');
      expect(ids(found).join()).not.toContain('not-read');
    });

    test('both variants of iptables in use', async () => {
      await hosts.exec(['iptables-legacy', '-A', 'INPUT', '-s', '192.0.2.1', '-j', 'DROP']);
      expect(ids((await report()).report)).not.toContain('warning both-iptables');
      await hosts.exec(['iptables-nft', '-A', 'INPUT', '-s', '192.0.2.1', '-j', 'DROP']);
      expect(ids((await report()).report)).toContain('warning both-iptables');
      await hosts.exec(['iptables-legacy', '-F', 'INPUT']);
      await hosts.exec(['nft', 'delete', 'table', 'ip', 'filter']);
    });

    test('a routing rule that asks another table first', async () => {
      await hosts.exec(['ip', 'rule', 'add', 'from', '192.0.2.0/24', 'lookup', '100']);
      const { report: found } = await report();
      await hosts.exec(['ip', 'rule', 'del', 'from', '192.0.2.0/24', 'lookup', '100']);
      const finding = found.findings.find(({ id }) => id === 'routes-passed-by');
      expect(finding?.what).toContain('table 100');
    });

    test('a bridge whose ports talk past the packet filter', async () => {
      await hosts.exec(['ip', 'link', 'add', 'br0', 'type', 'bridge']);
      for (const port of ['p0', 'p1']) {
        await hosts.exec(['ip', 'link', 'add', port, 'type', 'veth', 'peer', 'name', `${port}x`]);
        await hosts.exec(['ip', 'link', 'set', port, 'master', 'br0']);
      }
      await hosts.exec([
        'sh',
        '-c',
        'f=/proc/sys/net/bridge/bridge-nf-call-iptables; [ ! -e $f ] || echo 0 > $f',
      ]);
      const { report: found } = await report();
      for (const link of ['br0', 'p0', 'p1']) await hosts.exec(['ip', 'link', 'del', link]);
      expect(ids(found)).toContain('note bridge-not-filtered');
    });

    test('IPv6 that is off', async () => {
      await hosts.exec(['sysctl', '-qw', 'net.ipv6.conf.all.disable_ipv6=1']);
      const { report: found } = await report();
      await hosts.exec(['sysctl', '-qw', 'net.ipv6.conf.all.disable_ipv6=0']);
      expect(ids(found)).toContain('note no-ipv6');
    });

    test('a journal in memory, and one that cannot be written', async () => {
      const memory = await elsewhere(
        `mount -t tmpfs none "${home.state}" && chmod 700 "${home.state}"`,
      );
      expect(ids(memory.report)).toContain('warning journal-volatile');
      const readOnly = await elsewhere(
        `mount -t tmpfs none "${home.state}" && chmod 700 "${home.state}" && mount -o remount,ro "${home.state}"`,
      );
      expect(ids(readOnly.report)).toContain('problem journal-folder-unwritable');
      expect(readOnly.status).toBe(10);
    });
  });
});
