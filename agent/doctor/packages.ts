/** Which package brings a tool, on which family of distributions, and the command that installs it. */
import { type System, systems } from '../../platform/system.ts';

interface Family {
  readonly name: string;
  /** What os-release(5) calls them, in ID or ID_LIKE. */
  readonly ids: readonly string[];
  readonly install: string;
}

const families = [
  { name: 'apt', ids: ['debian', 'ubuntu'], install: 'apt-get install' },
  { name: 'dnf', ids: ['fedora', 'rhel', 'centos', 'amzn'], install: 'dnf install' },
  { name: 'zypper', ids: ['suse', 'opensuse', 'sles'], install: 'zypper install' },
  { name: 'pacman', ids: ['arch', 'archlinux'], install: 'pacman -S' },
  { name: 'apk', ids: ['alpine'], install: 'apk add' },
] as const satisfies readonly Family[];

type Manager = (typeof families)[number]['name'];
/** Package names in the order of `families`. */
type Names = readonly [string, string, string, string, string];

const same = (name: string): Names => [name, name, name, name, name];
const iptables: Names = ['iptables', 'iptables-nft', 'iptables', 'iptables', 'iptables'];
const legacy: Names = ['iptables', 'iptables-legacy', 'iptables', 'iptables', 'iptables-legacy'];
const shadow: Names = ['passwd', 'shadow-utils', 'shadow', 'shadow', 'shadow'];
const coreutils = same('coreutils');

/** The first pattern that fits the tool's name counts. */
const packages: readonly (readonly [RegExp, Names])[] = [
  [/^nft$/, same('nftables')],
  [/^ip6?tables-legacy/, legacy],
  [/^ip6?tables/, iptables],
  [/^ipset$/, same('ipset')],
  [/^(ip|ss|bridge)$/, ['iproute2', 'iproute', 'iproute2', 'iproute2', 'iproute2']],
  [/^conntrack$/, ['conntrack', ...repeat('conntrack-tools')]],
  [/^firewall-cmd$/, same('firewalld')],
  [/^(usermod|chage)$/, shadow],
  [/^passwd$/, ['passwd', 'passwd', 'shadow', 'shadow', 'shadow']],
  [/^(loginctl|systemctl|busctl)$/, same('systemd')],
  [/^(pkill|pgrep|ps)$/, ['procps', 'procps-ng', 'procps', 'procps-ng', 'procps']],
  [/^(getent)$/, ['libc-bin', 'glibc-common', 'glibc', 'glibc', 'musl-utils']],
  [/^(test|cp|stat|true)$/, coreutils],
];

export interface Distribution {
  /** For people, such as `Debian GNU/Linux 12 (bookworm)`. */
  readonly name: string;
  readonly manager?: Manager;
}

/**
 * Understands os-release(5), which FreeBSD has too. Only on Linux are tools packages: those of the BSDs
 * and macOS are part of the system.
 */
export function readDistribution(osRelease: string, system: System = 'linux'): Distribution {
  const values = new Map(
    [...osRelease.matchAll(/^([A-Z_]+)=["']?(.*?)["']?$/gm)].map(([, key = '', value = '']) => [
      key,
      value,
    ]),
  );
  const ids = `${values.get('ID') ?? ''} ${values.get('ID_LIKE') ?? ''}`.split(/\s+/);
  const family = families.find((one) => ids.some((id) => one.ids.some((known) => isOf(id, known))));
  const unknown = system === 'linux' ? 'an unknown system' : systems[system];
  const name = values.get('PRETTY_NAME') ?? values.get('NAME') ?? unknown;
  return family === undefined ? { name } : { name, manager: family.name };
}

/** The command that brings tools to this machine; undefined where nobody here knows it. */
export function installCommand(
  tools: readonly string[],
  { manager }: Distribution,
): string | undefined {
  const index = families.findIndex(({ name }) => name === manager);
  const family = families[index];
  const names = tools.map((tool) => packageOf(tool)?.[index]);
  if (family === undefined || tools.length === 0 || names.includes(undefined)) return undefined;
  return `${family.install} ${[...new Set(names)].sort().join(' ')}`;
}

/** Tools that come with the BSDs or macOS. */
const partsOfTheSystem =
  /^(pfctl|ipfw|npfctl|route|netstat|sysctl|id|pw|usermod|dscl|dscacheutil|pwpolicy|kldstat)$/;

/** Whether it is known which package brings a tool, or that it needs none. */
export function isPackaged(tool: string): boolean {
  return packageOf(tool) !== undefined || partsOfTheSystem.test(tool);
}

function packageOf(tool: string): Names | undefined {
  return packages.find(([pattern]) => pattern.test(tool))?.[1];
}

/** `opensuse-leap` is an opensuse. */
function isOf(id: string, known: string): boolean {
  return id === known || id.startsWith(`${known}-`);
}

function repeat(name: string): [string, string, string, string] {
  return [name, name, name, name];
}
