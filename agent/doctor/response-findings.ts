/** What can be carried out on this machine, and what cannot. */
import type { Finding } from '../../platform/driver.ts';
import { type Distribution, installCommand } from './packages.ts';
import type { DriverState, ResponseState } from './report.ts';

/** Responses as they would be carried out now; `candidates` are the drivers that each may use. */
export function responseFindings(
  responses: readonly ResponseState[],
  drivers: readonly DriverState[],
  candidates: (response: string) => readonly string[],
  distribution: Distribution,
): Finding[] {
  const lacking = responses.filter((one) => !isPossible(one));
  const able = responses.filter((one) => one.actsOnAddresses && isPossible(one));
  return [
    ...(able.length === 0 ? [nothingBlocks] : []),
    ...lacking.map((one) => {
      const own = candidates(one.response);
      return impossible(
        one,
        drivers.filter(({ driver }) => own.includes(driver)),
        distribution,
      );
    }),
    ...responses.flatMap(oneFamilyOnly),
  ];
}

function isPossible({ ipv4, ipv6, driver }: ResponseState): boolean {
  return (ipv4 ?? ipv6 ?? driver) !== undefined;
}

const nothingBlocks: Finding = {
  id: 'nothing-blocks',
  level: 'problem',
  what: 'No response that blocks an address can be carried out on this machine.',
  why: 'The lines below say what each of them lacks.',
};

function impossible(
  { response, pinned }: ResponseState,
  drivers: readonly DriverState[],
  distribution: Distribution,
): Finding {
  const reasons = drivers.map(({ driver, why }) => `${driver}: ${why}`).join('; ');
  return {
    id: 'response-unavailable',
    // Whoever named its drivers counts on it.
    level: pinned ? 'problem' : 'note',
    what: `${response} cannot be carried out here. ${reasons}.`,
    remedy: remedyFor(drivers, distribution),
  };
}

/** The first driver in order of preference that lacks nothing but tools. */
function remedyFor(
  drivers: readonly DriverState[],
  distribution: Distribution,
): string | undefined {
  for (const { missing } of drivers) {
    const command = installCommand(missing, distribution);
    if (command !== undefined) return command;
  }
  return undefined;
}

function oneFamilyOnly({ response, ipv4, ipv6, actsOnAddresses }: ResponseState): Finding[] {
  if (!actsOnAddresses || (ipv4 === undefined) === (ipv6 === undefined)) return [];
  const [able, unable] = ipv6 === undefined ? ['IPv4', 'IPv6'] : ['IPv6', 'IPv4'];
  return [
    {
      id: 'one-family-only',
      level: 'note',
      what: `${response} acts on ${able} addresses only; nothing here can do it for ${unable}.`,
    },
  ];
}

/** How a driver stands here, from what its probe said. */
export function driverState(
  driver: string,
  usability: {
    readonly usable: boolean;
    readonly why: string;
    readonly families: readonly (4 | 6)[];
  },
  missing: readonly string[],
  distribution: Distribution,
): DriverState {
  const { usable, why, families } = usability;
  const install = usable ? undefined : installCommand(missing, distribution);
  return { driver, usable, why, families, missing, ...(install === undefined ? {} : { install }) };
}
