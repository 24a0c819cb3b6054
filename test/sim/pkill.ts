/**
 * pkill(1), as far as ending all that an account has running goes: FreeBSD's knows `-j none` (processes
 * in no jail), the others have no -j. Ends with 0 where something matched, 1 where nothing did, 2 for
 * options that it does not have.
 */
import { answer, type Parts, type Simulator } from './simulator.ts';

export interface SimProcess {
  readonly pid: number;
  readonly uid: number;
  readonly jailed?: boolean;
  /** It cannot be ended: it waits in the kernel. */
  readonly stuck?: boolean;
}

export function processesOf(parts: Parts): SimProcess[] {
  const known = (parts['processes'] as SimProcess[] | undefined) ?? [];
  parts['processes'] = known;
  return known;
}

export const simulate: Simulator = ({ args, system }, parts) => {
  const [, jails, uid] = /^-KILL( -j none)? -U (\d+)$/.exec(args.join(' ')) ?? [];
  if (uid === undefined) {
    return answer(99, { err: [`simulator: not known: pkill ${args.join(' ')}`] });
  }
  if (jails !== undefined && !system.startsWith('freebsd'))
    return answer(2, { err: ['usage: pkill'] });
  const isMeant = (one: SimProcess) =>
    one.uid === Number(uid) && !(jails !== undefined && one.jailed === true);
  const all = processesOf(parts);
  const matched = all.filter(isMeant);
  parts['processes'] = all.filter((one) => !isMeant(one) || one.stuck === true);
  return answer(matched.length === 0 ? 1 : 0);
};
