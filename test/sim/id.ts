/** id(1), as far as `id -u`. */
import { answer, type Simulator } from './simulator.ts';

export const simulate: Simulator = ({ args, switches }) =>
  args.join(' ') === '-u'
    ? answer(0, { out: [String(switches.euid ?? 0)] })
    : answer(99, { err: [`simulator: not known: id ${args.join(' ')}`] });
