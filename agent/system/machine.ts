import { lookup } from 'node:dns/promises';
import { readFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { networkInterfaces } from 'node:os';
import { type AddressTarget, parseTarget } from '../../platform/target.ts';
import { type Gateways, linuxGateways } from './gateways.ts';

/** What has to stay reachable, and what it is. */
export interface Essential {
  readonly target: AddressTarget;
  readonly what: string;
}

/** Addresses, routes and resolvers change rarely; requests can come ten thousand at once. */
const freshMs = 1_000;
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
  let readAt = Number.NEGATIVE_INFINITY;
  let known: readonly Essential[] | undefined;
  let reading: Promise<readonly Essential[]> | undefined;
  return () => {
    if (known !== undefined && now() - readAt <= freshMs) return known;
    reading ??= readEssentials(managers, gateways).then((essentials) => {
      known = essentials;
      readAt = now();
      reading = undefined;
      return essentials;
    });
    return reading;
  };
}

async function readEssentials(
  managers: readonly string[],
  gateways: Gateways,
): Promise<readonly Essential[]> {
  const lists = await Promise.all([
    ownAddresses(),
    gatewaysOf(gateways),
    resolvers(),
    managerAddresses(managers),
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

async function resolvers(): Promise<Essential[]> {
  const texts = await Promise.all(resolverFiles.map(readOrEmpty));
  return texts
    .flatMap((text) => [...text.matchAll(/^\s*nameserver\s+(\S+)/gm)])
    .flatMap(([, address]) => essential(address ?? '', 'a resolver of this machine'));
}

async function managerAddresses(managers: readonly string[]): Promise<Essential[]> {
  const found = await Promise.all(
    managers.map(async (manager) => {
      if (isIP(manager) !== 0) return [manager];
      const answers = await lookup(manager, { all: true }).catch(() => []);
      return answers.map(({ address }) => address);
    }),
  );
  return found.flat().flatMap((address) => essential(address, 'the manager'));
}

function essential(address: string, what: string): Essential[] {
  const target = parseTarget(address.split('%')[0] ?? '');
  if (target === undefined || target.address === '0.0.0.0' || target.address === '::') return [];
  return [{ target, what }];
}

async function readOrEmpty(file: string): Promise<string> {
  return readFile(file, 'utf8').catch(() => '');
}
