/** `ar-exec wazuh install|uninstall` on folders laid out like those of managers' agents. */
import {
  chmod,
  chown,
  mkdir,
  readFile,
  readlink,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type MountMachine, mountMachine } from '../kernel/mount-machine.ts';
import { requires } from '../requirements.ts';

const executable = fileURLToPath(new URL('../../build/out/ar-exec', import.meta.url));
const home = '/opt/ossec';
const bin = `${home}/active-response/bin`;
const config = '/opt/ar-exec.conf';
const group = 998;

/** What Wazuh 4 has there, and a script of somebody's own. */
const wazuh4 = {
  [`${bin}/firewall-drop`]: 'ELF firewall-drop',
  [`${bin}/host-deny`]: 'ELF host-deny',
  [`${bin}/disable-account`]: 'ELF disable-account',
  [`${bin}/restart.sh`]: '#!/bin/sh\n',
  [`${bin}/kaspersky`]: 'ELF kaspersky',
  [`${bin}/own.py`]: '#!/usr/bin/python3\n',
  [`${home}/bin/wazuh-execd`]: 'ELF execd',
  [`${home}/VERSION.json`]: '{"version":"4.14.0","stage":"rc1"}',
  [`${home}/etc/ossec.conf`]: '<ossec_config></ossec_config>',
};

requires(
  'root',
  'unshare',
  'nsenter',
  'mount',
)('ar-exec wazuh', () => {
  let machine: MountMachine;

  beforeEach(async () => {
    machine = await mountMachine(['/opt', '/etc/systemd', '/run']);
  });
  afterEach(() => machine.close());

  /** What is in the mount namespace, seen from here. */
  const at = (path: string): string => join(`/proc/${machine.pid}/root`, path);

  const lay = async (files: Readonly<Record<string, string>>): Promise<void> => {
    for (const [path, text] of Object.entries(files)) {
      await mkdir(dirname(at(path)), { recursive: true, mode: 0o750 });
      await writeFile(at(path), text);
      await chmod(at(path), 0o750);
      await chown(at(path), 0, group);
      await utimes(at(path), 1_600_000_000, 1_600_000_000);
    }
    await chown(at(bin), 0, group);
    await symlink('firewall-drop', at(`${bin}/default-firewall-drop`));
    await writeFile(at(config), '<ar-exec>\n  <on_stop>keep</on_stop>\n</ar-exec>\n');
    const control = `#!/bin/sh\necho "$1" >> ${home}/calls\n`;
    await writeFile(at(`${home}/bin/wazuh-control`), control, { mode: 0o755 });
  };

  /** Every name below a folder with its rights, owners, times, links, and what is in it. */
  const snapshot = async (folder: string): Promise<string> => {
    const names = ['find', folder, '-not', '-name', 'calls'];
    const listed = await machine.exec([...names, '-type', 'd', '-printf', '%p %M %U %G\n']);
    const files = await machine.exec([...names, '-type', 'f', '-printf', '%p %M %U %G %T@ %i\n']);
    const links = await machine.exec([...names, '-type', 'l', '-printf', '%p %l\n']);
    const sums = await machine.exec([...names, '-type', 'f', '-exec', 'sha256sum', '{}', '+']);
    return [listed, files, links, sums].map((text) => text.split('\n').sort().join('\n')).join();
  };

  const arExec = async (...words: readonly string[]) => {
    const places = ['--config', config, '--state', '/opt/state', '--socket', '/opt/ar-exec.sock'];
    const argv = [executable, 'wazuh', ...words, '--home', home, ...places];
    const inside = ['--mount', '--target', String(machine.pid), '--', ...argv];
    const { exitCode, stdout, stderr } = await execa('nsenter', inside, { reject: false });
    return { status: exitCode, stdout, stderr };
  };

  const ours = async (name: string): Promise<string> => readlink(at(`${bin}/${name}`));

  describe('under the names of the executables', () => {
    beforeEach(() => lay(wazuh4));

    test('what it has a response for becomes a link; uninstalled, all is exactly as it was', async () => {
      const before = await snapshot(home);
      expect(await arExec('install')).toMatchObject({ status: 0 });
      for (const name of ['firewall-drop', 'host-deny', 'disable-account', 'default-firewall-drop'])
        expect(await ours(name)).toBe(executable);
      for (const name of ['restart.sh', 'kaspersky', 'own.py']) {
        expect(await readFile(at(`${bin}/${name}`), 'utf8')).toBe(
          (wazuh4 as Record<string, string>)[`${bin}/${name}`],
        );
      }
      expect(await arExec('uninstall')).toMatchObject({ status: 0 });
      expect(await snapshot(home)).toBe(before);
    });

    test('twice is once', async () => {
      await arExec('install');
      const once = await snapshot(home);
      expect((await arExec('install')).stdout).toBe('All is so already.');
      expect(await snapshot(home)).toBe(once);
    });

    test('--dry-run shows it and changes nothing', async () => {
      const before = await snapshot(home);
      const { status, stdout } = await arExec('install', '--dry-run', '--only', 'firewall-drop');
      expect(status).toBe(0);
      expect(stdout.split('\n')).toEqual([
        `install -d -m 700 ${home}/active-response/ar-exec-kept`,
        `ln -f ${bin}/firewall-drop ${home}/active-response/ar-exec-kept/firewall-drop`,
        `ln -sfn ${executable} ${bin}/firewall-drop`,
      ]);
      expect(await snapshot(home)).toBe(before);
    });

    test('--only takes those that are named, also one that is not there; uninstall takes it away', async () => {
      const before = await snapshot(home);
      await arExec('install', '--only', 'firewall-drop,route-null');
      expect(await ours('route-null')).toBe(executable);
      expect(await readFile(at(`${bin}/host-deny`), 'utf8')).toBe('ELF host-deny');
      await arExec('uninstall');
      expect(await snapshot(home)).toBe(before);
    });

    test('a name that stands for nothing is refused, and so is a way out of the folder', async () => {
      for (const only of ['kaspersky', '../../bin/wazuh-execd', 'restart.sh']) {
        const { status, stderr } = await arExec('install', '--only', only);
        expect(status).toBe(2);
        expect(stderr).toContain('[usage-invalid]');
      }
    });

    test('what an update has brought is kept, and given back, and not what was there before it', async () => {
      await arExec('install');
      await machine.exec(['rm', `${bin}/firewall-drop`]);
      await writeFile(at(`${bin}/firewall-drop`), 'ELF newer', { mode: 0o750 });
      await arExec('install');
      expect(await ours('firewall-drop')).toBe(executable);
      await arExec('uninstall');
      expect(await readFile(at(`${bin}/firewall-drop`), 'utf8')).toBe('ELF newer');
    });

    test('an update that was not followed by another install stays when it is uninstalled', async () => {
      await arExec('install');
      await machine.exec(['rm', `${bin}/firewall-drop`]);
      await writeFile(at(`${bin}/firewall-drop`), 'ELF newer', { mode: 0o750 });
      await arExec('uninstall');
      expect(await readFile(at(`${bin}/firewall-drop`), 'utf8')).toBe('ELF newer');
      expect(await machine.exec(['ls', `${home}/active-response`])).toBe('bin\n');
    });

    test('execd starts the link, and it answers as the executable that was there', async () => {
      await arExec('install');
      const event = {
        version: 1,
        origin: { name: '', module: 'wazuh-execd' },
        command: 'add',
        parameters: { alert: { data: { srcip: '203.0.113.7' } }, program: 'firewall-drop' },
      };
      const argv = ['--mount', '--target', String(machine.pid), '--', `${bin}/firewall-drop`];
      const result = await execa('nsenter', argv, {
        input: `${JSON.stringify(event)}\n`,
        reject: false,
        env: { AR_EXEC_SOCKET: '/opt/none.sock', AR_EXEC_STATE: '/opt/none' },
      });
      expect(JSON.parse(result.stdout.split('\n')[0] ?? '')).toMatchObject({
        command: 'check_keys',
        parameters: { keys: ['203.0.113.7'] },
      });
    });
  });

  describe('in place of execd', () => {
    beforeEach(() => lay(wazuh4));

    test('execd gives way to the stand-in between stop and start; uninstalled, all is as it was', async () => {
      const before = [await snapshot(home), await readFile(at(config), 'utf8')];
      expect(await arExec('install', '--way', 'execd')).toMatchObject({ status: 0 });
      const standIn = await readFile('scripts/execd/stand-in', 'utf8');
      expect(await readFile(at(`${home}/bin/wazuh-execd`), 'utf8')).toBe(standIn);
      expect(await machine.exec(['stat', '-c', '%a %g', `${home}/bin/wazuh-execd`])).toBe(
        `750 ${group}\n`,
      );
      const text = await readFile(at(config), 'utf8');
      expect(text).toContain('<on_stop>keep</on_stop>');
      expect(text).toContain('<manager_queue>wazuh4</manager_queue>');
      expect(await readFile(at(`${home}/calls`), 'utf8')).toBe('stop\nstart\n');
      expect(await arExec('uninstall')).toMatchObject({ status: 0 });
      expect([await snapshot(home), await readFile(at(config), 'utf8')]).toEqual(before);
      expect(await readFile(at(`${home}/calls`), 'utf8')).toBe('stop\nstart\n'.repeat(2));
    });

    test('both ways, and one uninstall for both', async () => {
      const before = await snapshot(home);
      await arExec('install');
      await arExec('install', '--way', 'execd');
      await arExec('uninstall');
      expect(await snapshot(home)).toBe(before);
    });
  });

  test('where there is no agent it says so', async () => {
    await writeFile(at(config), '');
    const { status, stderr } = await arExec('install');
    expect(status).toBe(2);
    expect(stderr).toContain(`there is no agent of Wazuh or OSSEC in ${home}`);
  });
});

requires(
  'root',
  'unshare',
  'nsenter',
  'mount',
  'dpkg-deb',
)('beside a Debian package', () => {
  let machine: MountMachine;

  beforeEach(async () => {
    const scratch = await execa('mktemp', ['-d']);
    machine = await mountMachine(['/opt', scratch.stdout]);
    await machine.exec(['cp', '-a', '/var/lib/dpkg', `${scratch.stdout}/dpkg`]);
    await machine.exec(['mount', '--bind', `${scratch.stdout}/dpkg`, '/var/lib/dpkg']);
    await machine.exec(['mount', '-t', 'tmpfs', 'tmpfs', '/var/log']);
  });
  afterEach(() => machine.close());

  const at = (path: string): string => join(`/proc/${machine.pid}/root`, path);

  const upgrade = async (version: string): Promise<void> => {
    const root = `/opt/package-${version}`;
    const control = `Package: wazuh-agent-like\nVersion: ${version}\nArchitecture: all\nMaintainer: Test <test@example.org>\nDescription: laid out like an agent\n`;
    await mkdir(at(`${root}/DEBIAN`), { recursive: true, mode: 0o755 });
    await writeFile(at(`${root}/DEBIAN/control`), control);
    await mkdir(at(`${root}${bin}`), { recursive: true });
    await writeFile(at(`${root}${bin}/firewall-drop`), `ELF ${version}`, { mode: 0o750 });
    await machine.exec(['dpkg-deb', '--build', root, `${root}.deb`]);
    await machine.exec(['dpkg', '--install', `${root}.deb`]);
  };
  const arExec = (what: string) =>
    machine.exec([executable, 'wazuh', what, '--home', home, '--json']);

  test('its next version does not put its own back, and the newest is given back', async () => {
    await upgrade('1');
    await arExec('install');
    await upgrade('2');
    expect(await readlink(at(`${bin}/firewall-drop`))).toBe(executable);
    await arExec('uninstall');
    expect(await readFile(at(`${bin}/firewall-drop`), 'utf8')).toBe('ELF 2');
    expect(await machine.exec(['dpkg-divert', '--list', '*ossec*'])).toBe('');
    await upgrade('3');
    expect(await readFile(at(`${bin}/firewall-drop`), 'utf8')).toBe('ELF 3');
  });
});
