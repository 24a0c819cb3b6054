/** netstat(1) as far as `-rn -f inet` and `-rn -f inet6`: usr.bin/netstat/route.c of each system. */
import { parseTarget } from '../../platform/target.ts';
import { isFreeBsd, lettersOf, printed, routesOf, type SimRoute, sorted } from './route-world.ts';
import { answer, type Call, type SimSystem, type Simulator } from './simulator.ts';

export const simulate: Simulator = ({ system, args }: Call, parts) => {
  const family = /^-rn -f inet(6?)$/.exec(args.join(' '));
  if (family === null || system === 'openbsd76') {
    return answer(99, { err: [`simulator: not known: netstat ${args.join(' ')}`] });
  }
  const six = family[1] === '6';
  const rows = sorted(routesOf(system, parts), six ? 6 : 4).map((route) => rowOf(system, route));
  const out = ['Routing tables', ''];
  // A family without routes has no heading either.
  if (rows.length > 0) out.push(six ? 'Internet6:' : 'Internet:', ...table(system, six, rows));
  return answer(0, { out });
};

type Row = readonly [destination: string, gateway: string, flags: string, dev: string];

function table(system: SimSystem, six: boolean, rows: readonly Row[]): string[] {
  return [['Destination', 'Gateway', 'Flags', 'Netif'] as const, ...rows].map((row, index) =>
    layOut(system, { six, row, heading: index === 0 }),
  );
}

/** Columns are never cut with -n; wider ones push the others to the right. */
function layOut(
  system: SimSystem,
  { six, row, heading }: { six: boolean; row: Row; heading: boolean },
): string {
  const [destination, gateway, flags, dev] = row;
  const [first, second] = widths(system, six);
  const start = `${destination.padEnd(first)} ${gateway.padEnd(second)}`;
  if (isFreeBsd(system)) {
    // WID_IF: 8 in 13, 12 in 15 (route.freebsd13.txt, route.freebsd15.txt).
    const netif = dev.padStart(system === 'freebsd13' ? 8 : 12);
    return `${start} ${flags.padEnd(6)} ${netif}${heading ? ' Expire' : ''}`;
  }
  if (system === 'netbsd10') {
    const counts = heading ? ['Refs', 'Use', 'Mtu'] : ['-', '-', '-'];
    const [refs = '', use = '', mtu = ''] = counts;
    const numbers = `${refs.padStart(6)} ${use.padStart(8)} ${mtu.padStart(6)}`;
    // `%-6.6s`: more than six letters are cut.
    const last = heading ? 'Interface' : ` ${dev}`;
    return `${start} ${flags.slice(0, 6).padEnd(6)} ${numbers} ${last}`;
  }
  const cut = system === 'macos14' ? flags.slice(0, 10).padEnd(10) : flags.padEnd(6);
  return `${start} ${cut} ${dev.padStart(8)}${heading ? ' Expire' : ''}`;
}

/** WID_DST and WID_GW with -n. */
function widths(system: SimSystem, six: boolean): readonly [number, number] {
  if (!six) return [18, 18];
  if (system === 'macos14') return [39, 31];
  return system === 'netbsd10' ? [39, 30] : [33, 29];
}

function rowOf(system: SimSystem, { target, gateway, flags, dev }: SimRoute): Row {
  return [destinationOf(system, target), printed(system, gateway), lettersOf(system, flags), dev];
}

/** netname() and netname4(); a host has no length. */
export function destinationOf(system: SimSystem, target: string): string {
  const { family, address, prefixLength } = parseTarget(target) ?? {};
  if (address === undefined || prefixLength === undefined) throw new Error(target);
  if (!target.includes('/')) return printed(system, address);
  if (prefixLength === 0) return 'default';
  if (family === 6) {
    const zone = address.startsWith('fe80:') ? '%lo0' : '';
    return `${printed(system, address)}${zone}/${prefixLength}`;
  }
  if (isFreeBsd(system)) return target;
  const parts = address.split('.');
  if (system === 'netbsd10' || system === 'openbsd76') {
    // As many numbers as the length asks for.
    const wanted = Math.max(1, Math.ceil(prefixLength / 8));
    return `${parts.slice(0, wanted).join('.')}/${prefixLength}`;
  }
  return classful(parts, prefixLength);
}

/** macOS and DragonFly: zeros at the end are left out, down to what the class of the address asks for. */
function classful(parts: readonly string[], prefixLength: number): string {
  const first = Number(parts[0]);
  const least = first < 128 ? 1 : first < 192 ? 2 : 3;
  let count = 4;
  while (count > least && parts[count - 1] === '0') count -= 1;
  const short = parts.slice(0, count).join('.');
  return prefixLength === least * 8 ? short : `${short}/${prefixLength}`;
}
