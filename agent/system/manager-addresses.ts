import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';

/** The addresses that a name stands for, by all that this machine asks; none where nobody knows. */
export type LookUp = (name: string) => Promise<readonly string[]>;

/** What names were found to stand for; it outlasts a configuration that is read anew. */
export type KnownNames = Map<string, readonly string[]>;

const everyMs = 60_000;
const unknownEveryMs = 10_000;
const patienceMs = 2_000;

export interface ManagerAddressesOptions {
  now(): number;
  readonly known?: KnownNames | undefined;
  readonly lookUp?: LookUp | undefined;
}

/**
 * Makes the function that tells the addresses of managers. Names are looked up once a minute, sooner
 * where one is not known, and at once when `network` is another text than before. What they were counts
 * until there is another answer. A resolver that does not answer holds up who asks for a moment, once.
 */
export function createManagerAddresses(
  managers: readonly string[],
  { now, known = new Map(), lookUp = byResolver }: ManagerAddressesOptions,
): (network: string) => Promise<readonly string[]> {
  const names = managers.filter((manager) => isIP(manager) === 0);
  const fixed = managers.filter((manager) => isIP(manager) !== 0);
  const inWork = new Set<string>();
  let askedAt = Number.NEGATIVE_INFINITY;
  let asking: Promise<unknown> = Promise.resolve();
  let before: string | undefined;

  const ask = async (name: string): Promise<void> => {
    if (inWork.has(name)) return;
    inWork.add(name);
    const addresses = await lookUp(name).catch(() => []);
    inWork.delete(name);
    if (addresses.length > 0) known.set(name, addresses);
  };

  return async (network) => {
    const areKnown = () => names.every((name) => known.has(name));
    const changed = network !== before;
    if (changed || now() - askedAt > (areKnown() ? everyMs : unknownEveryMs)) {
      askedAt = now();
      before = network;
      const answers = Promise.all(names.map(ask));
      const patience = new AbortController();
      const { signal } = patience;
      const enough = wait(patienceMs, undefined, { ref: false, signal }).catch(() => {});
      const answered = Promise.race([answers, enough]).finally(() => patience.abort());
      if (changed) asking = answered;
    }
    if (!areKnown()) await asking;
    return [...fixed, ...names.flatMap((name) => known.get(name) ?? [])];
  };
}

async function byResolver(name: string): Promise<readonly string[]> {
  const answers = await lookup(name, { all: true });
  return answers.map(({ address }) => address);
}
