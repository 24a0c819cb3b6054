/**
 * From a certain level on the kernel lets nobody change the packet filter: 3 on FreeBSD and DragonFly
 * BSD (security(7), init(8)), 2 on OpenBSD (securelevel(7)) and NetBSD (secmodel_securelevel(9)). That
 * holds for the tables of pf too: pf_ioctl.c answers EPERM to all that changes them.
 */
import type { Finding, Question } from '../../driver.ts';

export function securelevel(fixedFrom: number): Question<readonly Finding[]> {
  return {
    steps: [{ kind: 'command', tool: 'sysctl', args: ['-n', 'kern.securelevel'] }],
    read: ([answer]) => {
      const level = /^-?\d+$/m.exec(answer?.stdout ?? '')?.[0];
      return level === undefined || Number(level) < fixedFrom ? [] : [fixed(level)];
    },
  };
}

function fixed(level: string): Finding {
  return {
    id: 'securelevel-fixes-filter',
    level: 'problem',
    what: `The securelevel of this machine is ${level}: the packet filter cannot be changed, not by root either.`,
    why: 'No address is blocked, and none is let in again, before the next start of the machine.',
    remedy:
      'Set a lower kern_securelevel (rc.conf, rc.securelevel) and restart the machine; or name other drivers, such as route-null-bsd.',
  };
}
