/** uname(1), as far as `uname -s`. */
import { answer, type SimSystem, type Simulator } from './simulator.ts';

const names: Readonly<Record<SimSystem, string>> = {
  freebsd13: 'FreeBSD',
  freebsd15: 'FreeBSD',
  openbsd76: 'OpenBSD',
  netbsd10: 'NetBSD',
  dragonfly6: 'DragonFly',
  macos14: 'Darwin',
  windows11: 'none',
};

export const simulate: Simulator = ({ args, system }) =>
  args.join(' ') === '-s'
    ? answer(0, { out: [names[system]] })
    : answer(99, { err: [`simulator: not known: uname ${args.join(' ')}`] });
