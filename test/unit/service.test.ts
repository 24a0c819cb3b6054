import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { SaxesParser } from 'saxes';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { defaultPaths } from '../../agent/config/default-paths.ts';
import { changeText } from '../../agent/service/change.ts';
import { commandText, logrotateText, serviceText } from '../../agent/service/files.ts';
import { layoutOf, type Manager, usualNode } from '../../agent/service/layout.ts';
import { withLines } from '../../agent/service/lines.ts';
import { managerOf } from '../../agent/service/linux.ts';
import { planInstall, planRemove } from '../../agent/service/plan.ts';
import { install, remove, type ServiceWish } from '../../agent/service/service.ts';
import { command, serviceFiles } from '../../build/service-files.ts';
import { type Unix, unixSystems } from '../../platform/system.ts';

const names = unixSystems;
const layout = (system: Unix) =>
  layoutOf(
    system,
    defaultPaths(system, () => false),
    usualNode[system],
  );

test.each([...serviceFiles()])('%s is what is installed', (file, text) => {
  expect(readFileSync(file, 'utf8'), `run: ${command}`).toBe(text);
});

describe('shell scripts', () => {
  const shellFiles = [...serviceFiles()].filter(([file]) => file.includes('rc.d'));
  const commands = names.map((system) => {
    const { program } = layout(system);
    return [system, program.kind === 'module' ? commandText(program) : ''] as const;
  });

  test.each([...shellFiles, ...commands])('a shell understands %s', (_, text) => {
    const { status, stderr } = spawnSync('sh', ['-n'], { input: text, encoding: 'utf8' });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  });

  test('and would say so if it did not', () => {
    const [[, text = ''] = []] = shellFiles;
    expect(spawnSync('sh', ['-n'], { input: text.replace('\n}\n', '\n') }).status).not.toBe(0);
  });

  /** rc.subr(8) as far as it counts here: what it would start, after what comes before that. */
  const subr = `
    load_rc_config() { :; }
    run_rc_command() {
      case "$1" in
      start) $start_precmd && eval "echo $command $command_args" ;;
      *) eval "\\$$1_cmd" ;;
      esac
    }`;
  const script = (replacements: Readonly<Record<string, string>>) => {
    let text = serviceText(layout('freebsd')).replace('. /etc/rc.subr', () => subr);
    for (const [from, to] of Object.entries(replacements)) text = text.replaceAll(from, to);
    return (action: string) => spawnSync('sh', ['-s', action], { input: text, encoding: 'utf8' });
  };

  test("FreeBSD's has daemon(8) start the agent, with both process numbers", () => {
    const quiet = { '/usr/local/bin/node': '/bin/true', 'install -d': ': install -d' };
    const { stdout, status } = script(quiet)('start');
    expect(status).toBe(0);
    expect(stdout.trim()).toBe(
      '/usr/sbin/daemon -c -f -R 5 -P /var/run/ar-exec/daemon.pid -p /var/run/ar-exec/ar-exec.pid ' +
        '-t ar-exec -S -l daemon -s info -T ar-exec /bin/true /usr/local/libexec/ar-exec.mjs run',
    );
  });

  test("FreeBSD's starts nothing if the program does not", () => {
    const { stdout, status } = script({ '/usr/local/bin/node': '/bin/false' })('start');
    expect({ stdout, failed: status !== 0 }).toEqual({ stdout: '', failed: true });
  });
});

describe('the property list of launchd', () => {
  const values = (text: string): string[] => {
    const found: string[] = [];
    const parser = new SaxesParser();
    parser.on('error', (error) => {
      throw error;
    });
    parser.on('text', (value) => found.push(value.trim()));
    parser.write(text).close();
    return found.filter((value) => value !== '');
  };

  test('is well formed, and starts the program with the words that it is given', () => {
    const list = values(serviceText(layout('darwin')));
    const from = list.indexOf('ProgramArguments') + 1;
    expect(list.slice(from, from + 3)).toEqual([
      '/usr/local/bin/node',
      '/Library/Application Support/ar-exec/bin/ar-exec.mjs',
      'run',
    ]);
  });

  test('takes a path with characters that XML has for itself', () => {
    const odd = layoutOf(
      'darwin',
      defaultPaths('darwin', () => false),
      '/opt/<a&b>/node',
    );
    expect(values(serviceText(odd)).join('')).toContain('/opt/<a&b>/node');
  });
});

describe('logrotate', () => {
  const file = (name: string) =>
    readFileSync(`scripts/logrotate/${name}`, 'utf8').replace(/^#.*\n/gm, '');
  test('has what is in scripts/ for a folder of our own', () => {
    expect(logrotateText({ folder: '/var/log/ar-exec' })).toBe(file('ar-exec'));
  });
  test("has what is in scripts/ for a manager's folder", () => {
    const text = logrotateText({ folder: '/var/ossec/logs', group: 'wazuh' });
    expect(text).toBe(file('ar-exec-wazuh'));
  });
});

describe('lines of ours in a file', () => {
  const anchor = ['anchor "ar-exec"'];
  const marks = /# BEGIN ar-exec.*\nanchor "ar-exec"\n# END ar-exec\n/;
  test.each([
    ['an empty file', '', ''],
    ['options alone', 'set skip on lo0\n', ''],
    ['before a rule', 'set skip on lo0\n', 'pass quick on em0\n'],
    ['before what may hold rules', 'ext = "em0"\n', 'include "/etc/pf.more"\nblock all\n'],
    ['behind translation', 'nat on em0 from any to any -> (em0)\nrdr-anchor "x"\n', 'anchor "y"\n'],
    ['not within a line that goes on', 'table <t> { 192.0.2.1 \\\n  pass }\n', '  block all\n'],
    ['behind a line without its end', 'set skip on lo0', ''],
  ])('%s', (_, before, after) => {
    const text = withLines(before + after, anchor, 'rules');
    expect(text.replace(marks, '|')).toBe(`${before}${before.endsWith('0') ? '\n' : ''}|${after}`);
    expect(withLines(text, anchor, 'rules')).toBe(text);
    expect(withLines(text, [], 'rules').trim()).toBe((before + after).trim());
  });

  test('are known when another version has made them, and are replaced where they stand', () => {
    const old = 'a\n# BEGIN ar-exec\nold\n# END ar-exec\nb\n';
    expect(withLines(old, [], 'end')).toBe('a\nb\n');
    const text = withLines(old, ['new'], 'end');
    expect(text).toMatch(/^a\n# BEGIN ar-exec.*\nnew\n# END ar-exec\nb\n$/);
  });

  test('that are not there are not taken out of anything else', () => {
    const text = '# BEGIN ar-execs\nx\n# END\n';
    expect(withLines(text, [], 'end')).toBe(text);
  });
});

describe('what starts services on a Linux', () => {
  const installed = '/lib/systemd/systemd';
  test.each<[string, Manager | undefined, string[]]>([
    ['systemd', 'systemd', ['/run/systemd/system', '/run/initctl', '/usr/sbin/update-rc.d']],
    ['OpenRC, with systemd lying about', 'openrc', ['/run/openrc/softlevel', installed]],
    ['init of Devuan', 'sysv', ['/run/initctl', '/usr/sbin/update-rc.d', installed]],
    ['init of RHEL 6', 'chkconfig', ['/dev/initctl', '/sbin/chkconfig', '/etc/inittab']],
    ['init of Slackware', undefined, ['/run/initctl', '/etc/inittab']],
    ['a folder with Debian in it', 'systemd', [installed, '/usr/sbin/update-rc.d']],
    ['a folder with RHEL 7 in it', 'systemd', [installed, '/etc/inittab', '/sbin/chkconfig']],
    ['a folder with Alpine in it', 'openrc', ['/sbin/openrc-run', '/etc/inittab']],
    ['a folder with Devuan in it', 'sysv', ['/etc/inittab', '/usr/sbin/update-rc.d']],
    ['a container without any', undefined, ['/usr/sbin/update-rc.d']],
  ])('%s', (_, manager, files) => {
    expect(managerOf((path) => files.includes(path))).toBe(manager);
  });
});

describe('what is planned', () => {
  const wish = (system: Unix) => ({
    layout: layout(system),
    from: '/tmp/ar-exec.mjs',
    logs: { folder: '/var/log/ar-exec' },
    start: true,
    pf: { line: 'anchor "ar-exec"', file: '/etc/pf.conf', loaded: true },
  });
  const texts = (changes: ReturnType<typeof planInstall>) =>
    changes.flatMap((change) => (change.kind === 'run' ? [changeText(change)] : []));

  test.each<[Unix, string[], string[]]>([
    [
      'linux',
      [
        'systemctl daemon-reload',
        'systemctl enable ar-exec.service',
        'systemctl restart ar-exec.service',
        'systemctl start ar-exec.service',
      ],
      ['systemctl disable --now ar-exec.service', 'systemctl daemon-reload'],
    ],
    [
      'freebsd',
      ['sysrc ar_exec_enable=YES', '/usr/local/etc/rc.d/ar_exec restart'],
      ['/usr/local/etc/rc.d/ar_exec onestop', 'sysrc -x ar_exec_enable'],
    ],
    ['dragonfly', ['/usr/local/etc/rc.d/ar_exec restart'], ['/usr/local/etc/rc.d/ar_exec onestop']],
    ['netbsd', ['/etc/rc.d/ar_exec restart'], ['/etc/rc.d/ar_exec onestop']],
    [
      'openbsd',
      ['rcctl enable ar_exec', 'rcctl restart ar_exec'],
      ['rcctl stop ar_exec', 'rcctl disable ar_exec'],
    ],
    [
      'darwin',
      [
        'launchctl enable system/org.ar-exec.agent',
        'launchctl bootout system/org.ar-exec.agent',
        'launchctl bootstrap system /Library/LaunchDaemons/org.ar-exec.agent.plist',
      ],
      ['launchctl bootout system/org.ar-exec.agent'],
    ],
  ])('%s is told to start and to stop it', (system, starting, ending) => {
    const { pf, ...rest } = wish(system);
    const plain = (lines: string[]) => lines.map((line) => line.replace(/ {2}#.*/, ''));
    expect(plain(texts(planInstall(rest)))).toEqual(starting);
    expect(plain(texts(planRemove({ layout: rest.layout })))).toEqual(ending);
  });

  test.each<[Manager, string[], string[]]>([
    [
      'openrc',
      ['rc-update add ar-exec default', 'rc-service ar-exec restart', 'rc-service ar-exec start'],
      ['rc-service ar-exec stop', 'rc-update del ar-exec default'],
    ],
    [
      'sysv',
      ['update-rc.d ar-exec defaults', '/etc/init.d/ar-exec restart', '/etc/init.d/ar-exec start'],
      ['/etc/init.d/ar-exec stop', 'update-rc.d ar-exec remove'],
    ],
    [
      'chkconfig',
      ['chkconfig --add ar-exec', '/etc/init.d/ar-exec restart', '/etc/init.d/ar-exec start'],
      ['/etc/init.d/ar-exec stop', 'chkconfig --del ar-exec'],
    ],
  ])('%s is told to start and to stop it', (manager, starting, ending) => {
    const paths = defaultPaths('linux', () => false);
    const ofInit = layoutOf('linux', paths, undefined, manager);
    const { pf, ...rest } = { ...wish('linux'), layout: ofInit };
    const plain = (lines: string[]) => lines.map((line) => line.replace(/ {2}#.*/, ''));
    const made = planInstall(rest);
    expect(plain(texts(made))).toEqual(starting);
    expect(plain(texts(planRemove(rest)))).toEqual(ending);
    expect(made).toContainEqual(
      expect.objectContaining({ kind: 'write', path: '/etc/init.d/ar-exec', mode: 0o755 }),
    );
  });

  test.each(names)('%s: what is installed and nobody else has is removed', (system) => {
    const { pf, ...rest } = wish(system);
    const made = planInstall(rest).flatMap((one) =>
      one.kind === 'write' || one.kind === 'copy' || one.kind === 'lines' ? [one.path] : [],
    );
    const removed = planRemove({ layout: rest.layout }).flatMap((one) =>
      one.kind === 'remove' || (one.kind === 'lines' && one.lines.length === 0) ? [one.path] : [],
    );
    expect(removed.sort()).toEqual(made.sort());
  });

  test.each(names)('%s: no command turns a packet filter on or off', (system) => {
    const all = [...planInstall(wish(system)), ...planRemove(wish(system))];
    const commands = all.flatMap((one) => (one.kind === 'run' ? [one.argv.join(' ')] : []));
    expect(commands.filter((line) => /pfctl -[edEF]|pf_enable|firewall_enable/.test(line))).toEqual(
      [],
    );
    expect(commands).toContain('pfctl -f /etc/pf.conf');
  });

  test('without a start, it is started with the machine only', () => {
    const lines = texts(planInstall({ ...wish('openbsd'), start: false, pf: undefined }));
    expect(lines).toEqual(['rcctl enable ar_exec']);
  });

  test('pf.conf is checked before it counts, and loaded only if pf is on and it has changed', () => {
    const off = { ...wish('freebsd'), pf: { ...wish('freebsd').pf, loaded: false } };
    expect(texts(planInstall(off)).some((line) => line.startsWith('pfctl'))).toBe(false);
    const on = planInstall(wish('freebsd'));
    expect(on).toContainEqual(
      expect.objectContaining({
        kind: 'lines',
        check: ['pfctl', '-n', '-f'],
        copy: '/etc/pf.conf.before-ar-exec',
      }),
    );
    expect(on).toContainEqual(
      expect.objectContaining({
        argv: ['pfctl', '-f', '/etc/pf.conf'],
        only: { path: '/etc/pf.conf' },
      }),
    );
  });
});

describe('where a package has made it a service', () => {
  const packaged = '/usr/lib/systemd/system/ar-exec.service';
  const own = '/etc/systemd/system/ar-exec.service';
  let root: string;
  const wish = (): ServiceWish => ({
    system: 'linux',
    root,
    program: process.execPath,
    manager: 'systemd',
    start: false,
    pf: async () => false,
  });
  const put = async (path: string): Promise<void> => {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), '');
  };

  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'ar-exec-service-'));
    await put(packaged);
  });
  afterEach(() => rm(root, { recursive: true }));

  test('nothing is installed beside it, and nothing of it is removed', async () => {
    const refused = { code: 'service-failed', message: expect.stringContaining(packaged) };
    await expect(install(wish())).rejects.toMatchObject(refused);
    await expect(remove(wish())).rejects.toMatchObject(refused);
  });

  test('what was installed before the package can be removed', async () => {
    await put(own);
    const { changes } = await remove(wish());
    expect(changes).toContainEqual({ kind: 'remove', path: own });
    await expect(install(wish())).rejects.toMatchObject({ code: 'service-failed' });
  });
});
