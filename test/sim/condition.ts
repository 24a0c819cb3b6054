/** test(1), as far as whether a folder can be written to. Switches: `readonly`, a folder. */
import { answer, type Simulator } from './simulator.ts';

export const simulate: Simulator = ({ args, switches }) => {
  const [option, path = '', ...more] = args;
  if (option !== '-w' || more.length > 0 || !path.endsWith('/.')) {
    return answer(99, { err: [`simulator: not known: test ${args.join(' ')}`] });
  }
  return answer(path === `${String(switches['readonly'])}/.` ? 1 : 0);
};
