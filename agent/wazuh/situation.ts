/** What a manager's agent has on this machine. Changes nothing. */
import { lstat, readdir, readFile, readlink, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { Runner } from '../../platform/step.ts';
import { ArError } from '../errors.ts';

/** As the setting `manager_queue` names them. */
export type Product = 'wazuh4' | 'wazuh5' | 'ossec';

export interface Situation {
  readonly home: string;
  readonly product: Product;
  /** The file names in `active-response/bin`. */
  readonly executables: readonly Executable[];
  readonly execd: Executable;
  /** The group of the manager's agent. */
  readonly gid: number;
  /** Its name, as the socket unit wants it. */
  readonly group: string;
  /** The unit of the manager's agent, where systemd has one. */
  readonly unit?: string | undefined;
  /** systemd runs this machine. */
  readonly systemd: boolean;
}

export interface Executable {
  readonly name: string;
  /** `ours`: a link to ar-exec, or the stand-in of execd; `theirs`: anything else. */
  readonly now: 'ours' | 'theirs' | 'absent';
  /** What was there before ours lies in the folder where it is kept. */
  readonly kept: boolean;
  /** It is from a Debian package, whose next version would put it back. */
  readonly packaged: boolean;
  /** dpkg puts what the package has for it elsewhere. */
  readonly diverted: boolean;
}

/** Where the executables of the manager's agent lie. */
export function binOf(home: string): string {
  return join(home, 'active-response/bin');
}

/** Where they are kept: on the same file system, and not among what execd may start. */
export function keptOf(home: string): string {
  return join(home, 'active-response/ar-exec-kept');
}

/** Throws `usage-invalid` where there is no manager's agent. */
export async function look(home: string, as: Product | undefined, run: Runner): Promise<Situation> {
  const bin = binOf(home);
  const names = await readdir(bin).catch((cause: unknown) => {
    throw new ArError(
      'usage-invalid',
      `there is no agent of Wazuh or OSSEC in ${home}: ${bin} cannot be read`,
      'Install it first, or name its folder with --home.',
      { cause },
    );
  });
  const kept = await readdir(keptOf(home)).catch(() => []);
  const execdName = await nameOfExecd(home);
  const files = [...new Set([...names, ...kept])].filter((name) => name !== execdName).sort();
  const { gid } = await stat(bin);
  return {
    home,
    product: as ?? (await findProduct(home, execdName)),
    executables: await Promise.all(files.map((name) => inspect(join(bin, name), kept, run))),
    execd: await inspect(join(home, 'bin', execdName), kept, run),
    gid,
    group: (await groupName(gid)) ?? String(gid),
    ...(await service(run)),
  };
}

async function inspect(path: string, kept: readonly string[], run: Runner): Promise<Executable> {
  const name = basename(path);
  const [truename, owner] = await Promise.all([
    run({ kind: 'command', tool: 'dpkg-divert', args: ['--listpackage', path] }),
    run({ kind: 'command', tool: 'dpkg-query', args: ['--search', path] }),
  ]);
  return {
    name,
    now: await whose(path),
    kept: kept.includes(name),
    // It says nothing where nothing is diverted, and ends with 0 all the same.
    diverted: truename.failure === undefined && truename.stdout.trim() !== '',
    packaged: owner.failure === undefined,
  };
}

async function whose(path: string): Promise<Executable['now']> {
  const found = await lstat(path).catch(() => undefined);
  if (found === undefined) return 'absent';
  if (found.isSymbolicLink()) {
    return /^ar-exec(\.mjs)?$/.test(basename(await readlink(path))) ? 'ours' : 'theirs';
  }
  if (!found.isFile() || found.size > 10_000) return 'theirs';
  return (await readFile(path, 'utf8')).includes('while ar-exec') ? 'ours' : 'theirs';
}

async function nameOfExecd(home: string): Promise<string> {
  const files = await readdir(join(home, 'bin')).catch((): string[] => []);
  return files.includes('ossec-execd') ? 'ossec-execd' : 'wazuh-execd';
}

/** Wazuh says its version in a file since 4.10; before that only its programs do. */
async function findProduct(home: string, execd: string): Promise<Product> {
  const text = await readFile(join(home, 'VERSION.json'), 'utf8').catch(() => '');
  const [, major] = /"version"\s*:\s*"v?(\d+)\./.exec(text) ?? [];
  if (major !== undefined) return Number(major) >= 5 ? 'wazuh5' : 'wazuh4';
  if (execd === 'ossec-execd') return 'ossec';
  const queue = await stat(join(home, 'queue/alerts')).catch(() => undefined);
  return queue === undefined ? 'wazuh5' : 'wazuh4';
}

const units = ['wazuh-agent', 'wazuh-manager', 'ossec-hids', 'ossec'];

async function service(run: Runner): Promise<Pick<Situation, 'unit' | 'systemd'>> {
  const systemd = (await stat('/run/systemd/system').catch(() => undefined)) !== undefined;
  if (!systemd) return { systemd };
  for (const name of units) {
    const unit = `${name}.service`;
    const found = await run({ kind: 'command', tool: 'systemctl', args: ['cat', unit] });
    if (found.failure === undefined) return { systemd, unit };
  }
  return { systemd };
}

async function groupName(gid: number): Promise<string | undefined> {
  const text = await readFile('/etc/group', 'utf8').catch(() => '');
  const rows = text.split('\n').map((line) => line.split(':'));
  return rows.find(([, , id]) => id === String(gid))?.[0];
}
