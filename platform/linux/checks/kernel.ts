/** What of the kernel is needed and not there. */
import type { Finding, Question } from '../../driver.ts';
import { askContainer, isContainer } from './container.ts';

export const kernel: Question<readonly Finding[]> = {
  steps: [
    // Empty when the kernel has no IPv6, or was started with ipv6.disable=1 (net/ipv6/proc.c).
    { kind: 'read-file', path: '/proc/net/sockstat6' },
    { kind: 'read-file', path: '/proc/sys/net/ipv6/conf/all/disable_ipv6' },
    { kind: 'read-file', path: '/proc/modules' },
    // Looks only whether it would find the module, also one that is built in.
    { kind: 'command', tool: 'modprobe', args: ['--dry-run', '--quiet', 'nf_tables'] },
    { kind: 'read-file', path: '/proc/sys/kernel/osrelease' },
    ...askContainer,
  ],
  read: ([sockets, disabled, modules, modprobe, release, ...container]) => {
    const findings: Finding[] = [];
    if (sockets?.stdout === '' || disabled?.stdout.trim() === '1') findings.push(noIpv6);
    const loadable = (modules?.stdout ?? '') !== '';
    const loaded = /^nf_tables /m.test(modules?.stdout ?? '');
    const lost = modprobe?.failure === 'exit' && loadable && !loaded && !isContainer(container);
    if (lost) findings.push(noModules(release?.stdout.trim() ?? ''));
    return findings;
  },
};

const noIpv6: Finding = {
  id: 'no-ipv6',
  level: 'note',
  what: 'IPv6 is off on this machine.',
  why: 'Blocks of IPv6 addresses have nothing to act on.',
};

function noModules(release: string): Finding {
  return {
    id: 'modules-missing',
    level: 'warning',
    what: `The running kernel ${release} does not find its module nf_tables.`,
    why: 'After an update of the kernel its old modules are often gone until the next start; nftables, iptables and ipset then do not work, or not all of them.',
    remedy: `Restart the machine, or look whether /lib/modules/${release} is there.`,
  };
}
