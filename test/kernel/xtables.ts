import type { Machine } from '../contract/driver-contract.ts';

const programs = ['iptables', 'ip6tables'] as const;

/** All tables of both families, without times and counters. */
export async function dumpTables(machine: Machine, variant: string): Promise<string> {
  const parts: string[] = [];
  for (const program of programs) {
    const text = await machine.exec([`${program}-${variant}-save`]);
    parts.push(text.replaceAll(/^#.*\n?/gm, '').replaceAll(/\[\d+:\d+\]/g, '[0:0]'));
  }
  return parts.join('\n');
}

/** Rules as a person and other programs would have them: chains, comments, other tables. */
export async function plantRules(machine: Machine, variant: string): Promise<void> {
  const source = { iptables: '192.0.2.0/24', ip6tables: '2001:db8:ffff::/48' };
  for (const program of programs) {
    const rules = [
      '*filter',
      ':INPUT ACCEPT [0:0]',
      ':FORWARD DROP [0:0]',
      ':OUTPUT ACCEPT [0:0]',
      ':ar-exec-friends - [0:0]',
      '-A INPUT -m conntrack --ctstate ESTABLISHED -j ACCEPT',
      '-A INPUT -p tcp -m tcp --dport 22 -m comment --comment "not -j ar-exec" -j ACCEPT',
      '-A FORWARD -j ar-exec-friends',
      `-A ar-exec-friends -s ${source[program]} -j DROP`,
      'COMMIT',
      '*mangle',
      ':ar-exec-friends - [0:0]',
      '-A INPUT -m conntrack --ctstate ESTABLISHED -j ACCEPT',
      '-A FORWARD -m comment --comment "not -j ar-exec" -j ar-exec-friends',
      `-A ar-exec-friends -s ${source[program]} -j DROP`,
      '-A PREROUTING -p tcp -m tcp --dport 443 -j MARK --set-xmark 0x1/0xffffffff',
      'COMMIT',
      '*nat',
      '-A PREROUTING -p tcp -m tcp --dport 80 -j REDIRECT --to-ports 8080',
      'COMMIT',
      '',
    ];
    await machine.exec([`${program}-${variant}-restore`, '--noflush'], rules.join('\n'));
  }
}

/** All sets, without the seed of their hashes, what is left of each timeout, and the order of entries. */
export async function dumpSets(machine: Machine): Promise<string> {
  const names = (await machine.exec(['ipset', 'list', '-n'])).split('\n').filter(Boolean).sort();
  const parts: string[] = [];
  for (const name of names) {
    const text = await machine.exec(['ipset', 'save', name]);
    const [create = '', ...entries] = text.split('\n');
    parts.push(create.replace(/ initval \S+/, ''));
    parts.push(...entries.map((line) => line.replace(/ timeout [1-9]\d*/, ' timeout N')).sort());
  }
  return parts.join('\n');
}

/** A set of somebody else, with a name like ours, and the rule that asks for it. */
export async function plantSet(machine: Machine, variant: string): Promise<void> {
  const set = 'ar-exec-hosts4-of-others';
  const lines = [`create ${set} hash:ip family inet timeout 0`, `add ${set} 192.0.2.9`, ''];
  await machine.exec(['ipset', 'restore'], lines.join('\n'));
  const rule = ['-m', 'set', '--match-set', set, 'src', '-j', 'DROP'];
  await machine.exec([`iptables-${variant}`, '-A', 'FORWARD', ...rule]);
}
