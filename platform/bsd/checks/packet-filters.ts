/** FreeBSD has two packet filters that can both be on. */
import type { Finding, Question } from '../../driver.ts';

export const packetFilters: Question<readonly Finding[]> = {
  steps: [
    { kind: 'command', tool: 'pfctl', args: ['-s', 'info'] },
    { kind: 'command', tool: 'sysctl', args: ['-n', 'net.inet.ip.fw.enable'] },
  ],
  read: ([pf, ipfw]) => {
    const both = /^Status: Enabled/m.test(pf?.stdout ?? '') && ipfw?.stdout.trim() === '1';
    return both ? [twoFilters] : [];
  },
};

const twoFilters: Finding = {
  id: 'two-packet-filters',
  level: 'note',
  what: 'pf and ipfw are both on.',
  why: 'A packet has to pass both, so blocks act all the same; but who looks with the tool of one of them does not see what the other has.',
  remedy:
    'Name the one that you look at in the configuration: <driver response="firewall-drop">pf</driver>.',
};
