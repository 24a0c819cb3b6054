/** `ar-exec service`, in folders that stand for a machine; and the file for a Node of the system's own. */
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { execa } from 'execa';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { defaultPaths } from '../../agent/config/default-paths.ts';
import { ask } from '../../agent/intake/client.ts';
import { commandText, serviceText } from '../../agent/service/files.ts';
import { layoutOf } from '../../agent/service/layout.ts';
import { install, remove, type ServiceWish } from '../../agent/service/service.ts';
import type { Step, StepResult } from '../../platform/step.ts';
import { type Unix, unixSystems } from '../../platform/system.ts';

const bundle = resolve('build/out/ar-exec.mjs');
let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'ar-exec-root-'));
});
afterEach(async () => {
  await rm(root, { recursive: true });
});

const put = async (path: string, text: string, mode = 0o644) => {
  await mkdir(dirname(join(root, path)), { recursive: true });
  await writeFile(join(root, path), text);
  await chmod(join(root, path), mode);
};
const text = (path: string) => readFile(join(root, path), 'utf8');
const files = async () =>
  (await readdir(root, { recursive: true, withFileTypes: true }))
    .filter((one) => one.isFile())
    .map((one) => join(one.parentPath, one.name).slice(root.length))
    .sort();

const cli = (...words: string[]) =>
  execa(process.execPath, [bundle, 'service', ...words, '--root', root], { reject: false });

describe.each(unixSystems)('%s, in a folder', (system) => {
  const own = ['/etc/rc.conf', '/etc/newsyslog.conf', '/etc/pf.conf'];

  test('what is installed is there once, and gone when it is removed', async () => {
    for (const path of own) await put(path, `# ${path}\npass all\n`, 0o600);
    const before = await Promise.all(own.map(text));

    const first = await cli('install', '--system', system, '--pf', 'yes');
    expect(first).toMatchObject({ exitCode: 0 });
    const installed = await files();
    const { program, serviceFile } = layoutOf(
      system,
      defaultPaths(system, () => false),
      '/n',
    );
    expect(installed).toEqual(expect.arrayContaining([program.file, serviceFile]));
    expect((await readFile(join(root, program.file))).equals(await readFile(bundle))).toBe(true);
    const bits = async (path: string) => (await stat(join(root, path))).mode & 0o777;
    expect(await bits(own[2] ?? '')).toBe(0o600);
    const { stateFolder } = defaultPaths(system, () => false);
    expect(await bits(stateFolder)).toBe(0o700);
    if (system === 'freebsd' || system === 'openbsd') {
      expect(await text('/etc/pf.conf')).toMatch(
        /^# \/etc\/pf.conf\n# BEGIN.*\nanchor "ar-exec"\n# END ar-exec\npass all\n$/,
      );
      expect(await text('/etc/pf.conf.before-ar-exec')).toBe(before[2]);
      expect(await bits('/etc/pf.conf.before-ar-exec')).toBe(0o600);
    } else expect(await text('/etc/pf.conf')).toBe(before[2]);

    const contents = await Promise.all(installed.map(text));
    expect((await cli('install', '--system', system, '--pf', 'yes')).stdout).toBe(
      'All is so already.',
    );
    expect(await files()).toEqual(installed);
    expect(await Promise.all(installed.map(text))).toEqual(contents);

    expect(await cli('remove', '--system', system)).toMatchObject({ exitCode: 0 });
    expect((await files()).filter((path) => !path.endsWith('.before-ar-exec'))).toEqual(own.sort());
    expect(await Promise.all(own.map(text))).toEqual(before.sort());
  });
});

describe('a machine, its commands played', () => {
  let ran: string[];
  let says: (line: string) => Partial<StepResult>;
  beforeEach(() => {
    ran = [];
    says = () => ({});
  });
  const run = async (step: Step): Promise<StepResult> => {
    const nothing = { stdout: '', stderr: '' };
    if (step.kind !== 'command') return nothing;
    const line = [step.tool, ...step.args].join(' ').replaceAll(root, '');
    ran.push(line);
    return { ...nothing, ...says(line) };
  };
  const wish = (system: Unix, more: Partial<ServiceWish> = {}): ServiceWish => ({
    system,
    root,
    program: bundle,
    start: true,
    pf: async () => true,
    run,
    ...more,
  });
  const done = async (planned: ReturnType<typeof install>) => (await planned).carryOut();
  const enabled = (line: string) =>
    line === 'pfctl -s info' ? { stdout: 'Status: Enabled for 1 days 00:00:00\n' } : {};

  test('pf.conf is checked, loaded and loaded again without our line', async () => {
    says = enabled;
    await put('/etc/pf.conf', 'block all\n');
    await done(install(wish('openbsd')));
    expect(ran.slice(0, 2)).toEqual([
      'pfctl -s info',
      expect.stringMatching(/^pfctl -n -f \/etc\/pf\.conf\.\w+$/),
    ]);
    expect(ran.slice(2)).toEqual([
      'pfctl -f /etc/pf.conf',
      'rcctl enable ar_exec',
      'rcctl restart ar_exec',
    ]);
    ran = [];
    await done(install(wish('openbsd')));
    expect(ran).toEqual(['pfctl -s info', 'rcctl enable ar_exec']);
    ran = [];
    await done(remove(wish('openbsd')));
    expect(ran).toContain('pfctl -f /etc/pf.conf');
    expect(await text('/etc/pf.conf')).toBe('block all\n');
  });

  test('what pf would not take is not put in its place, and nothing is left beside it', async () => {
    says = (line) =>
      line.startsWith('pfctl -n')
        ? { failure: 'exit', exitCode: 1, stderr: '/etc/pf.conf.x:2: syntax error' }
        : enabled(line);
    await put('/etc/pf.conf', 'block all\n');
    await expect(done(install(wish('freebsd')))).rejects.toMatchObject({
      code: 'config-invalid',
      message: expect.stringContaining('syntax error'),
      hint: expect.stringContaining('anchor "ar-exec"'),
    });
    expect(await text('/etc/pf.conf')).toBe('block all\n');
    expect(ran).not.toContain('pfctl -f /etc/pf.conf');
    expect((await files()).filter((path) => /pf\.conf\.[0-9a-f]+$/.test(path))).toEqual([]);
  });

  test('who does not want it is told the line', async () => {
    await put('/etc/pf.conf', 'block all\n');
    const { remarks } = await install(wish('freebsd', { pf: async () => false }));
    expect(remarks.join()).toContain('anchor "ar-exec"');
    await done(install(wish('freebsd', { pf: async () => false })));
    expect(await text('/etc/pf.conf')).toBe('block all\n');
  });

  test('the anchor of the configuration is the one that is called', async () => {
    const config = join(root, 'ar-exec.conf');
    await writeFile(config, '<ar-exec><pf><anchor>agents/ar</anchor></pf></ar-exec>');
    await done(install(wish('openbsd', { config })));
    expect(await text('/etc/pf.conf')).toMatch(/^anchor "agents\/(ar|\*)"$/m);
  });

  test('where a table of yours is filled, pf.conf is yours too', async () => {
    const config = join(root, 'ar-exec.conf');
    await writeFile(config, '<ar-exec><pf><table>wazuh_fwtable</table></pf></ar-exec>');
    const { changes, remarks } = await install(wish('openbsd', { config }));
    expect(changes.filter((one) => 'path' in one && one.path === '/etc/pf.conf')).toEqual([]);
    expect(remarks).toEqual([]);
  });

  test('a command that says no ends it, and says which', async () => {
    says = (line) =>
      line === 'rcctl enable ar_exec' ? { failure: 'exit', stderr: 'rcctl: no' } : {};
    await expect(done(install(wish('openbsd')))).rejects.toMatchObject({
      code: 'service-failed',
      message: 'rcctl enable ar_exec: rcctl: no',
    });
  });

  test('one that stops what does not run may say no', async () => {
    says = (line) => (line.startsWith('rcctl') ? { failure: 'exit', stderr: 'no' } : {});
    const all = await done(remove(wish('openbsd')));
    expect(all.filter(({ outcome }) => outcome === 'no')).toHaveLength(2);
  });

  test('a Node that others can replace is not run by root', async () => {
    const untrusted = async (step: Step): Promise<StepResult> =>
      step.kind === 'check-executable'
        ? { failure: 'io', stdout: '', stderr: `${step.path} belongs to the user 501` }
        : run(step);
    await expect(install(wish('darwin', { run: untrusted }))).rejects.toMatchObject({
      code: 'script-untrusted',
    });
    expect(await files()).toEqual([]);
  });

  test('the logs of a manager are rotated for its group', async () => {
    await mkdir(join(root, '/var/ossec/logs'), { recursive: true });
    const gid = (await stat(join(root, '/var/ossec/logs'))).gid;
    await put('/etc/group', `other:*:${gid + 1}:\nwazuh:*:${gid}:\n`);
    await done(install(wish('freebsd')));
    expect(await text('/usr/local/etc/newsyslog.conf.d/ar-exec.conf')).toMatch(
      /^\/var\/ossec\/logs\/active-responses\.log\troot:wazuh\t640\t/,
    );
  });
});

test('--dry-run prints what would be done, and does nothing', async () => {
  const { stdout, exitCode } = await cli('install', '--system', 'netbsd', '--dry-run');
  expect(exitCode).toBe(0);
  expect(stdout).toContain('# the file /etc/rc.d/ar_exec, mode 755:');
  expect(await files()).toEqual([]);
});

test('an init that is named is the one that is told', async () => {
  const { stdout } = await cli('install', '--system', 'linux', '--init', 'openrc', '--dry-run');
  expect(stdout).toContain('# the file /etc/init.d/ar-exec, mode 755:\n| #!/sbin/openrc-run');
  expect(stdout).toMatch(/^rc-update add ar-exec default$/m);
});

/** A namespace has what this machine has, and shows nothing of what runs. */
test('where nothing starts services, it is said so, and nothing is done', async () => {
  const hidden = ['/run', '/lib/systemd', '/usr/lib/systemd', '/sbin/openrc-run', '/etc/inittab'];
  const hide = hidden.map((path) => `[ ! -d ${path} ] || mount -t tmpfs none ${path}`).join('; ');
  const words = ['--mount', 'sh', '-c', `${hide}; exec "$0" "$@"`, process.execPath, bundle];
  const { exitCode, stderr } = await execa('unshare', [...words, 'service', 'install'], {
    reject: false,
  });
  expect(exitCode).toBe(6);
  expect(stderr).toContain('nothing was found that starts services here');
  expect(stderr).toContain('--init');
});

test("another system's files are not put on this machine", async () => {
  const words = [bundle, 'service', 'install', '--system', 'openbsd'];
  const { exitCode, stderr } = await execa(process.execPath, words, { reject: false });
  expect(exitCode).toBe(2);
  expect(stderr).toContain('this machine runs Linux');
});

test('an old Node is told so before anything else, and nothing is loaded', async () => {
  const old = "Object.defineProperty(process.versions, 'node', { value: '20.20.2' });";
  await writeFile(join(root, 'old.cjs'), old);
  const words = ['--require', join(root, 'old.cjs'), bundle, 'run'];
  const { exitCode, stderr, stdout } = await execa(process.execPath, words, { reject: false });
  expect({ exitCode, stdout }).toEqual({ exitCode: 8, stdout: '' });
  expect(stderr).toBe(
    `ar-exec: this is Node.js 20.20.2 (${process.execPath}), and 22.13 or later is needed`,
  );
});

test('the command in front of the program hands on the name that it was called by', async () => {
  const program = { kind: 'module', file: bundle, node: process.execPath, command: '' } as const;
  await put('/bin/firewall-drop', commandText(program), 0o755);
  await put('/bin/ar-exec', commandText(program), 0o755);
  const env = { AR_EXEC_SOCKET: join(root, 'none.sock') };
  const asResponse = await execa(join(root, 'bin/firewall-drop'), {
    env,
    input: '',
    reject: false,
  });
  expect(asResponse.stdout + asResponse.stderr).not.toContain('Say what to do');
  const asItself = await execa(join(root, 'bin/ar-exec'), ['--version'], { env });
  expect(asItself.stdout).toMatch(/^\d+\.\d+\.\d+$/);
});

/** rc.subr(8) of NetBSD, as far as the script asks it. */
const subr = `
load_rc_config() { :; }
run_rc_command() { eval "\\$$1_cmd"; }
`;

test("NetBSD's script starts the agent in the background, tells of it, and stops it", async () => {
  const paths = {
    ...defaultPaths('netbsd', () => false),
    stateFolder: join(root, 'state'),
    socket: join(root, 'run/ar-exec.sock'),
  };
  const layout = layoutOf('netbsd', paths, process.execPath);
  const config = join(root, 'ar-exec.conf');
  await writeFile(
    config,
    `<ar-exec><active_responses_log>${root}/active-responses.log</active_responses_log><hosts_deny_file>${root}/hosts.deny</hosts_deny_file></ar-exec>`,
  );
  const script = serviceText({ ...layout, runFolder: join(root, 'run') })
    .replaceAll('/usr/pkg/libexec/ar-exec.mjs', bundle)
    .replace('$_rc_subr_loaded . /etc/rc.subr', () => subr)
    .replace('install -d -o root -g wheel', 'install -d');
  await put('/rc.d/ar_exec', script, 0o755);
  // Stands for syslog.
  await put('/bin/logger', `#!/bin/sh\nexec cat >${root}/log\n`, 0o755);
  const env = {
    PATH: `${root}/bin:${process.env['PATH']}`,
    AR_EXEC_STATE: paths.stateFolder,
    AR_EXEC_SOCKET: paths.socket,
    AR_EXEC_CONFIG: config,
  };
  const service = (action: string) =>
    execa(join(root, 'rc.d/ar_exec'), [action], { env, reject: false });

  expect(await service('status')).toMatchObject({ exitCode: 1, stdout: 'ar_exec is not running.' });
  expect(await service('start')).toMatchObject({ exitCode: 0, stdout: 'Starting ar_exec.' });
  try {
    const status = await answerOf(paths.socket);
    expect(await service('status')).toMatchObject({
      exitCode: 0,
      stdout: `ar_exec is running as pid ${status.pid}.`,
    });
    expect(await service('start')).toMatchObject({ exitCode: 1 });
    expect(await service('reload')).toMatchObject({ exitCode: 0 });
  } finally {
    expect(await service('stop')).toMatchObject({ exitCode: 0, stdout: 'Stopping ar_exec.' });
  }
  expect(await service('stop')).toMatchObject({ exitCode: 1, stdout: 'ar_exec not running?' });
  await expect.poll(() => text('/log')).toContain('"msg":"stopped"');
});

/** Of an agent that is on its way up. */
async function answerOf(socket: string): Promise<{ readonly pid: number }> {
  return (await expect
    .poll(() => ask(socket, { command: 'status' }, 1_000).catch(() => undefined), {
      timeout: 20_000,
    })
    .toMatchObject({ ok: true })
    .then(() => ask(socket, { command: 'status' }, 1_000))) as { pid: number };
}
