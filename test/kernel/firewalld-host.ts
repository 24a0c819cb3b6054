/**
 * The real firewalld in a network namespace, on a bus of its own, with a configuration and a /run of its
 * own: nothing of this machine is touched.
 */
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { type Bus, createBus } from '../../agent/system/dbus/bus.ts';
import { openConnection } from '../../agent/system/dbus/connection.ts';
import type { Read } from '../../agent/system/dbus/wire.ts';
import { unpacked } from '../requirements.ts';

const service = 'org.fedoraproject.FirewallD1';

export interface FirewalldHost {
  /** The socket of the bus that it is on. */
  readonly socket: string;
  readonly bus: Bus;
  /** Its process, and that of its bus. */
  pid(): number;
  busPid(): number;
  /** Calls a method of `place` (`zone`, `ipset` or nothing), as a person would; all arguments are texts. */
  call(place: string, member: string, ...args: readonly string[]): Promise<unknown>;
  /** What zones and ipsets hold, a line each. */
  holdings(zones: readonly string[], ipsets: readonly string[]): Promise<string>;
  /** Calls `hear` with what firewalld tells everybody, of `place` as in `call`; returns what ends that. */
  listen(place: string, member: string, hear: (body: readonly Read[]) => void): Promise<() => void>;
  /** Runs firewall-cmd on it. */
  cmd(...args: readonly string[]): Promise<string>;
  /** Starts it, and resolves when it answers. */
  start(): Promise<void>;
  /** Ends it as its service manager would. */
  stop(): Promise<void>;
  startBus(): Promise<void>;
  stopBus(): Promise<void>;
  /** Writes a file of its permanent configuration. */
  write(file: string, text: string): Promise<void>;
  close(): Promise<void>;
}

export interface FirewalldOptions {
  /** Of the network namespace. */
  readonly namespace: string;
  /** Where it keeps its files; absent: a folder of its own. */
  readonly folder?: string;
  /** Permanent configuration: file to text. */
  readonly files?: Readonly<Record<string, string>>;
}

const installed = '/usr/sbin/firewalld';
const root = existsSync(installed) ? '' : unpacked;
const program = `${root}${installed}`;
const defaultConfig = `${root}/usr/lib/firewalld`;

const busConfig = (socket: string): string => `<!DOCTYPE busconfig PUBLIC
  "-//freedesktop//DTD D-BUS Bus Configuration 1.0//EN"
  "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>unix:path=${socket}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/>
    <allow own="*"/>
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
  </policy>
</busconfig>
`;

const firewalldConfig = `DefaultZone=public
CleanupOnExit=yes
Lockdown=no
IPv6_rpfilter=no
IndividualCalls=no
LogDenied=off
FirewallBackend=nftables
FlushAllOnReload=yes
RFC3964_IPv4=yes
`;

/** A zone that drops, and an ipset of each family that is a source of it: what the docs tell to make. */
export const preparedZone: Readonly<Record<string, string>> = {
  'zones/ar-exec.xml': `<zone target="DROP"><source ipset="ar-exec4"/><source ipset="ar-exec6"/></zone>\n`,
  'ipsets/ar-exec4.xml': `<ipset type="hash:ip"></ipset>\n`,
  'ipsets/ar-exec6.xml': `<ipset type="hash:ip"><option name="family" value="inet6"/></ipset>\n`,
};

export async function createFirewalld(options: FirewalldOptions): Promise<FirewalldHost> {
  const folder = options.folder ?? (await mkdtemp(join(tmpdir(), 'ar-firewalld-')));
  const socket = join(folder, 'bus');
  const bus = createBus(socket);
  const address = { DBUS_SYSTEM_BUS_ADDRESS: `unix:path=${socket}` };
  let daemon: Started | undefined;
  let busDaemon: Started | undefined;

  const host: FirewalldHost = {
    socket,
    bus,
    pid: () => daemon?.pid ?? 0,
    busPid: () => busDaemon?.pid ?? 0,
    call: async (place, member, ...args) => {
      const [value] = await bus.call(
        {
          destination: service,
          path: '/org/fedoraproject/FirewallD1',
          interface: interfaceOf(place),
          member,
          signature: 's'.repeat(args.length),
          args,
        },
        30_000,
      );
      return value;
    },
    holdings: async (zones, ipsets) => {
      const lines: string[] = [];
      const list = async (place: string, member: string, name: string): Promise<void> => {
        const all = (await host.call(place, member, name)) as string[];
        lines.push(...all.sort().map((one) => `${name} ${one}`));
      };
      for (const name of zones) await list('zone', 'getRichRules', name);
      for (const name of zones) await list('zone', 'getSources', name);
      for (const name of ipsets) await list('ipset', 'getEntries', name);
      return lines.join('\n');
    },
    listen: async (place, member, hear) => {
      const connection = await openConnection(socket);
      const name = 'org.freedesktop.DBus';
      connection.onSignal((signal) => {
        if (signal.member === member && signal.interface === interfaceOf(place)) hear(signal.body);
      });
      await connection.call(
        {
          destination: name,
          path: '/org/freedesktop/DBus',
          interface: name,
          member: 'AddMatch',
          signature: 's',
          args: [`type='signal',sender='${service}',member='${member}'`],
        },
        30_000,
      );
      return connection.close;
    },
    cmd: async (...args) => {
      const { stdout } = await execa(
        '/usr/bin/python3',
        [`${root}/usr/bin/firewall-cmd`, ...args],
        {
          env: address,
        },
      );
      return stdout;
    },
    start: async () => {
      daemon = launch(options.namespace, folder, address);
      const ended = daemon.ended.then(() => {
        throw new Error('firewalld ended while it started');
      });
      ended.catch(() => {});
      await Promise.race([answers(host), ended]);
    },
    stop: () => end(daemon, 'SIGTERM'),
    startBus: async () => {
      await rm(socket, { force: true });
      const args = [`--config-file=${join(folder, 'bus.conf')}`, '--nofork', '--nopidfile'];
      const child = execa('dbus-daemon', [...args, '--print-address=1'], {
        reject: false,
        buffer: false,
        stdin: 'ignore',
        stderr: 'ignore',
      });
      busDaemon = watched(child);
      await once(child.stdout, 'data');
    },
    stopBus: () => end(busDaemon, 'SIGKILL'),
    write: (file, text) => writeFile(join(folder, 'etc', file), text),
    close: async () => {
      await end(daemon, 'SIGKILL');
      await end(busDaemon, 'SIGKILL');
      if (options.folder === undefined) await rm(folder, { recursive: true });
    },
  };
  await writeFile(join(folder, 'bus.conf'), busConfig(socket));
  for (const part of ['zones', 'ipsets', 'services', 'policies', 'icmptypes', 'helpers']) {
    await mkdir(join(folder, 'etc', part), { recursive: true });
  }
  await host.write('firewalld.conf', firewalldConfig);
  for (const [file, text] of Object.entries(options.files ?? {})) await host.write(file, text);
  try {
    await host.startBus();
    await host.start();
  } catch (error) {
    await host.close();
    throw error;
  }
  return host;
}

function interfaceOf(place: string): string {
  return place === '' ? service : `${service}.${place}`;
}

/** It may not load modules into the kernel, which is this machine's. */
function launch(namespace: string, folder: string, env: Record<string, string>): Started {
  const options = [
    '--nofork',
    '--nopid',
    ...['--system-config', join(folder, 'etc')],
    ...['--default-config', defaultConfig],
    ...['--log-target', 'file', '--log-file', join(folder, 'log')],
  ];
  const own = 'mount -t tmpfs none /run && exec "$@"';
  const inside = ['unshare', '--mount', '--propagation', 'private', 'sh', '-c', own, 'sh'];
  const limited = ['setpriv', '--bounding-set=-sys_module', '/usr/bin/python3', program];
  const child = execa('ip', ['netns', 'exec', namespace, ...inside, ...limited, ...options], {
    env,
    reject: false,
    buffer: false,
    stdio: 'ignore',
  });
  return watched(child);
}

interface Started {
  readonly pid: number;
  readonly ended: Promise<unknown>;
  kill(signal: NodeJS.Signals): unknown;
}

function watched(
  child: { pid?: number; kill(signal: NodeJS.Signals): unknown } & PromiseLike<unknown>,
): Started {
  const ended = Promise.resolve(child);
  return { pid: child.pid ?? 0, ended, kill: (signal) => child.kill(signal) };
}

/** It has its name before it answers; what is asked then waits for it. */
async function answers(host: FirewalldHost): Promise<void> {
  await new Promise<void>((resolve) => {
    const look = (): void => {
      host.call('', 'getDefaultZone').then(
        () => {
          unwatch();
          resolve();
        },
        () => {},
      );
    };
    const unwatch = host.bus.watch({ kind: 'dbus', service, signals: [] }, look);
    look();
  });
}

async function end(child: Started | undefined, signal: NodeJS.Signals): Promise<void> {
  child?.kill(signal);
  await child?.ended;
}
