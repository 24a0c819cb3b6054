/**
 * sysctl(8), as far as names are asked for with `-n`. The names are the part `sysctl` of the machine;
 * whoever sets up a machine says what it has.
 */
import { type Answer, answer, type Call, type Parts } from './simulator.ts';

export function simulate({ args, system }: Call, parts: Parts): Answer {
  const names = (parts['sysctl'] ?? {}) as Readonly<Record<string, string>>;
  const [flag, name, ...rest] = args;
  if (!system.startsWith('freebsd') || flag !== '-n' || name === undefined || rest.length > 0) {
    return answer(99, { err: [`simulator: not known: sysctl ${args.join(' ')}`] });
  }
  const value = names[name];
  // sbin/sysctl/sysctl.c of FreeBSD: a name that the kernel does not have, status 1.
  if (value === undefined) return answer(1, { err: [`sysctl: unknown oid '${name}'`] });
  return answer(0, { out: [value] });
}
