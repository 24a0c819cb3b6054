/** id(1), as far as `id -u` and `id -Gn NAME` go; the groups of accounts are a part of the machine. */
import { answer, type Simulator } from './simulator.ts';

export const simulate: Simulator = ({ args, switches }, parts) => {
  const [option, name, ...more] = args;
  if (option === '-u' && name === undefined) {
    return answer(0, { out: [String(switches.euid ?? 0)] });
  }
  if (option === '-Gn' && name !== undefined && more.length === 0) {
    const groups = (parts['groups'] as Record<string, string[]> | undefined)?.[name];
    return groups === undefined
      ? answer(1, { err: [`id: ${name}: no such user`] })
      : answer(0, { out: [groups.join(' ')] });
  }
  return answer(99, { err: [`simulator: not known: id ${args.join(' ')}`] });
};
