/**
 * What is otherwise than recorded, on purpose; docs/compatibility.md has a row for each with its why.
 * The names are those of the runs.
 */
import type { Standing } from './recorded.ts';

export interface Differing {
  readonly exit?: number;
  /** In place of the last line of the log; more may follow where it ends with `…`. */
  readonly lastLine?: string;
  /** The log, made from theirs. */
  readonly log?: (theirs: string) => string;
  readonly effect?: Partial<Standing>;
}

/** 5.0 goes from method to method, with a line for each; ours is chosen before. */
const oneMethod = (theirs: string): string =>
  theirs
    .replace(/^TS \S+ (?:.*Method=firewalld|Binary 'firewall-cmd').*\n/gm, '')
    .replaceAll('Method=iptables', 'Method=nftables')
    .replaceAll('method: iptables (lock=yes)', 'method: nftables (lock=no)');

const methodsRefused = (why: string) => (theirs: string) =>
  oneMethod(theirs)
    .replace(/^TS \S+ .*Method=.*\n/gm, '')
    .replace(/Ended\n$/, `${why}\n`);

export const ours: Readonly<Record<string, Differing>> = {
  '4.14.7: add same v4 again, continue': { effect: { dropped: ['203.0.113.7'] } },
  '4.14.7: delete v4': { effect: { dropped: [] } },
  '4.14.7: host-deny substring delete': {
    effect: { hostsDeny: ['ALL:10.0.0.10', 'sshd: 10.0.0.100'] },
  },
  '4.14.7: trailing garbage after the object': { effect: { dropped: ['203.0.113.7'] } },
  '4.14.7: crlf': { effect: { dropped: ['203.0.113.7'] } },
  '4.14.7: both lines sent at once': { effect: { dropped: ['203.0.113.7'] } },
  '4.14.7: PATH without iptables': {
    exit: 255,
    lastLine: 'nothing on this machine can carry out firewall-drop for 203.0.113.7: …',
  },
  "4.14.7: disable-account 'arok'": { effect: { expired: ['arok'] } },
  '5.0: enable v4': { log: oneMethod },
  '5.0: disable v4': { log: oneMethod, effect: { dropped: [] } },
  '5.0: octal': {
    exit: 255,
    log: methodsRefused('"010.0.0.1" is not an address'),
    effect: { dropped: [] },
  },
  "5.0: disable-account enable 'arok'": { effect: { expired: ['arok'] } },
};
