import { getServers } from 'node:dns';
import { lookup } from 'node:dns/promises';
import { readFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { networkInterfaces } from 'node:os';
import { setTimeout as wait } from 'node:timers/promises';
import { type AddressTarget, parseTarget } from '../../platform/target.ts';
import { type Gateways, linuxGateways } from './gateways.ts';

/** What has to stay reachable, and what it is. */
export interface Essential {
  readonly target: AddressTarget;
  readonly what: string;
}

/** Addresses, routes and resolvers change rarely; requests can come ten thousand at once. */
const freshMs = 1_000;
const lookUpEveryMs = 60_000;
const lookUpMs = 2_000;
const resolverFiles = ['/etc/resolv.conf', '/run/systemd/resolve/resolv.conf'] as const;

/**
 * Makes the function that tells what this machine must not cut off: its own addresses, default
 * gateways, resolvers and managers. What was read within the last second is told at once.
 */
export function createEssentials(
  managers: readonly string[],
  now: () => number,
  gateways: Gateways = linuxGateways,
): () => readonly Essential[] | Promise<readonly Essential[]> {
  const managerAddresses = createManagerAddresses(managers, now);
  let readAt = Number.NEGATIVE_INFINITY;
  let known: readonly Essential[] | undefined;
  let reading: Promise<readonly Essential[]> | undefined;
  return () => {
    if (known !== undefined && now() - readAt <= freshMs) return known;
    reading ??= readEssentials(managerAddresses, gateways).then((essentials) => {
      known = essentials;
      readAt = now();
      reading = undefined;
      return essentials;
    });
    return reading;
  };
}

async function readEssentials(
  managerAddresses: () => Promise<readonly Essential[]>,
  gateways: Gateways,
): Promise<readonly Essential[]> {
  const lists = await Promise.all([
    ownAddresses(),
    gatewaysOf(gateways),
    resolvers(),
    managerAddresses(),
  ]);
  return lists.flat();
}

async function ownAddresses(): Promise<Essential[]> {
  return Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .flatMap(({ address }) => essential(address, 'an address of this machine'));
}

async function gatewaysOf(gateways: Gateways): Promise<Essential[]> {
  const found = await gateways();
  return found.flatMap((address) => essential(address, 'the default gateway'));
}

/** Where there are no such files, Node tells what Windows says of its interfaces. */
async function resolvers(): Promise<Essential[]> {
  const asked = getServers().flatMap((server) => {
    // `192.0.2.1:5353`, `[2001:db8::1]:5353` where the port is another one than 53.
    const address = isIP(server) === 0 ? server.replace(/^\[?(.*?)\]?:\d+$/, '$1') : server;
    return essential(address, 'a resolver of this machine');
  });
  const texts = await Promise.all(resolverFiles.map(readOrEmpty));
  const listed = texts
    .flatMap((text) => [...text.matchAll(/^\s*nameserver\s+(\S+)/gm)])
    .flatMap(([, address]) => essential(address ?? '', 'a resolver of this machine'));
  return listed.length > 0 ? listed : asked;
}

/**
 * The names of managers are looked up once a minute, and what they were counts until there is another
 * answer. A resolver that does not answer holds a request up for a moment, once.
 */
function createManagerAddresses(
  managers: readonly string[],
  now: () => number,
): () => Promise<readonly Essential[]> {
  const named = managers.filter((manager) => isIP(manager) === 0);
  const fixed = managers.filter((manager) => isIP(manager) !== 0);
  const found = new Map<string, readonly string[]>();
  let askedAt = Number.NEGATIVE_INFINITY;
  let asking: Promise<unknown> = Promise.resolve();

  const ask = async (manager: string): Promise<void> => {
    const answers = await lookup(manager, { all: true }).catch(() => []);
    if (answers.length > 0) {
      found.set(
        manager,
        answers.map(({ address }) => address),
      );
    }
  };
  return async () => {
    if (now() - askedAt > lookUpEveryMs) {
      askedAt = now();
      asking = Promise.race([
        Promise.all(named.map(ask)),
        wait(lookUpMs, undefined, { ref: false }),
      ]);
    }
    if (named.some((manager) => !found.has(manager))) await asking;
    return [...fixed, ...[...found.values()].flat()].flatMap((address) =>
      essential(address, 'the manager'),
    );
  };
}

function essential(address: string, what: string): Essential[] {
  const target = parseTarget(address.split('%')[0] ?? '');
  if (target === undefined || target.address === '0.0.0.0' || target.address === '::') return [];
  return [{ target, what }];
}

async function readOrEmpty(file: string): Promise<string> {
  return readFile(file, 'utf8').catch(() => '');
}
