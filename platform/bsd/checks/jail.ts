/** A jail of FreeBSD: without a network of its own (jail(8), `vnet`) it has no packet filter and no routes. */
import type { Finding, Question } from '../../driver.ts';

export const jail: Question<readonly Finding[]> = {
  steps: [
    { kind: 'command', tool: 'sysctl', args: ['-n', 'security.jail.jailed'] },
    { kind: 'command', tool: 'sysctl', args: ['-n', 'security.jail.vnet'] },
  ],
  read: ([jailed, network]) => {
    if (jailed?.stdout.trim() !== '1') return [];
    return [network?.stdout.trim() === '1' ? inJail : withoutNetwork];
  },
};

const inJail: Finding = {
  id: 'jail',
  level: 'note',
  what: 'This is a jail with a network of its own.',
  why: 'Blocks act on what comes to the jail; accounts and files are its own.',
  remedy: 'To guard the host, run ar-exec on the host.',
};

const withoutNetwork: Finding = {
  id: 'jail-without-network',
  level: 'problem',
  what: 'This is a jail without a network of its own.',
  why: 'It cannot change the packet filter or the routes of its host.',
  remedy: 'Run ar-exec on the host, or give the jail a network of its own (vnet).',
};
