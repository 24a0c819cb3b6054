/** Who else has rules in the packet filter, and what that means for ours. */
import type { Finding, Question } from '../../driver.ts';
import type { Step, StepResult } from '../../step.ts';

const isActive = (unit: string): Step => ({
  kind: 'command',
  tool: 'systemctl',
  args: ['is-active', '--quiet', unit],
  deadlineMs: 5_000,
});

export const firewallsBeside: Question<readonly Finding[]> = {
  steps: [
    { kind: 'command', tool: 'nft', args: ['-j', 'list', 'chains'] },
    { kind: 'read-file', path: '/proc/net/ip_tables_names' },
    { kind: 'read-file', path: '/proc/net/ip6_tables_names' },
    isActive('firewalld'),
    isActive('nftables'),
    { kind: 'read-file', path: '/etc/nftables.conf' },
    { kind: 'read-file', path: '/etc/ufw/ufw.conf' },
    { kind: 'command', tool: 'test', args: ['-S', '/run/docker.sock'] },
  ],
  read: ([list, legacy4, legacy6, firewalld, service, rules, ufw, docker]) => {
    const chains = readChains(list);
    const legacy = `${legacy4?.stdout ?? ''}${legacy6?.stdout ?? ''}`.trim();
    const has = (one: Partial<Chain>): boolean =>
      chains.some((chain) => Object.entries(one).every(([key, value]) => chain[key] === value));
    const findings: Finding[] = [];
    if (legacy !== '' && (has({ family: 'ip' }) || has({ family: 'ip6' }))) {
      findings.push(bothVariants);
    }
    if (firewalld?.exitCode === 0 || has({ table: 'firewalld' })) findings.push(firewalldRuns);
    if (/^\s*ENABLED\s*=\s*["']?yes/im.test(ufw?.stdout ?? '')) findings.push(ufwRuns);
    const dockers = chains.filter(
      ({ name, table }) => /^docker/i.test(name) || /^docker/i.test(table),
    );
    if (dockers.length > 0 || docker?.exitCode === 0) findings.push(dockerRuns(dockers));
    if (service?.exitCode === 0 && /^\s*flush ruleset/m.test(rules?.stdout ?? '')) {
      findings.push(flushes);
    }
    return findings;
  },
};

/** libnftables-json(5), "chain". */
interface Chain {
  readonly family: string;
  readonly table: string;
  readonly name: string;
  readonly [key: string]: unknown;
}

function readChains(result: StepResult | undefined): Chain[] {
  if (result === undefined || result.failure !== undefined) return [];
  try {
    const { nftables } = JSON.parse(result.stdout) as { nftables?: { chain?: Chain }[] };
    return Array.isArray(nftables) ? nftables.flatMap(({ chain }) => chain ?? []) : [];
  } catch {
    return [];
  }
}

const bothVariants: Finding = {
  id: 'both-iptables',
  level: 'warning',
  what: 'Rules of iptables-legacy and of iptables-nft stand side by side.',
  why: 'A packet has to pass both, so blocks act all the same. But each of the two tools shows its own rules only: who looks with the other does not see them.',
  remedy:
    'Move everything to one of them (update-alternatives --config iptables); pin it here with <iptables_variant>.',
};

const firewalldRuns: Finding = {
  id: 'firewalld-beside',
  level: 'note',
  what: 'firewalld runs on this machine.',
  why: 'The table of the driver nftables stands beside its own and is left alone by its reload. With the iptables backend of firewalld a reload takes away what ipset and iptables made; ar-exec puts that back at its next comparison.',
};

const ufwRuns: Finding = {
  id: 'ufw-beside',
  level: 'note',
  what: 'ufw is enabled on this machine.',
  why: 'Blocks come before its rules. "ufw reset" takes away what ipset and iptables made; ar-exec puts that back at its next comparison.',
};

function dockerRuns(chains: readonly Chain[]): Finding {
  const names = chains.map(({ family, table, name }) => `${family} ${table} ${name}`);
  return {
    id: 'docker-beside',
    level: 'note',
    what:
      names.length === 0
        ? 'Docker runs on this machine; none of its chains is among those of nftables.'
        : `Docker keeps chains in the packet filter: ${names.join(', ')}.`,
    why: 'Traffic to published ports is forwarded, not delivered. Blocks come before its chains, so they act on that too, also after a restart of Docker.',
  };
}

const flushes: Finding = {
  id: 'flush-ruleset',
  level: 'note',
  what: '/etc/nftables.conf begins with "flush ruleset", and the service nftables is in use.',
  why: 'Whenever it is reloaded all blocks are gone, until ar-exec puts them back at its next block or comparison.',
  remedy: 'Delete the tables of that file by name there, instead of everything.',
};
