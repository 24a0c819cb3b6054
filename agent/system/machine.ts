import { Resolver } from 'node:dns';
import { readFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { networkInterfaces } from 'node:os';
import { type AddressTarget, parseTarget } from '../../platform/target.ts';
import { markOf } from './file-mark.ts';
import { type Gateways, linuxGateways } from './gateways.ts';
import { createManagerAddresses, type KnownNames } from './manager-addresses.ts';

/** What has to stay reachable, and what it is. */
export interface Essential {
  readonly target: AddressTarget;
  readonly what: string;
}

/** Addresses, routes and resolvers change rarely; requests can come ten thousand at once. */
const freshMs = 1_000;
const resolverFiles = ['/etc/resolv.conf', '/run/systemd/resolve/resolv.conf'] as const;
/** What names stand for besides; when one of these changes they are looked up anew. */
const namingFiles = ['/etc/hosts', '/etc/nsswitch.conf'] as const;

/**
 * Makes the function that tells what this machine must not cut off: its own addresses, default
 * gateways, resolvers and managers. What was read within the last second is told at once.
 */
export function createEssentials(
  managers: readonly string[],
  now: () => number,
  gateways: Gateways = linuxGateways,
  known?: KnownNames,
): () => readonly Essential[] | Promise<readonly Essential[]> {
  const managerAddresses = createManagerAddresses(managers, { now, known });
  let readAt = Number.NEGATIVE_INFINITY;
  let last: readonly Essential[] | undefined;
  let reading: Promise<readonly Essential[]> | undefined;
  return () => {
    if (last !== undefined && now() - readAt <= freshMs) return last;
    reading ??= readEssentials(managerAddresses, gateways)
      .then((essentials) => {
        last = essentials;
        readAt = now();
        return essentials;
      })
      .finally(() => {
        reading = undefined;
      });
    return reading;
  };
}

async function readEssentials(
  managerAddresses: (network: string) => Promise<readonly string[]>,
  gateways: Gateways,
): Promise<readonly Essential[]> {
  const resolving = await Promise.all(resolverFiles.map(readOrEmpty));
  const network = [...resolving, ...(await Promise.all(namingFiles.map(markOf)))].join('\n');
  const lists = await Promise.all([
    ownAddresses(),
    gatewaysOf(gateways),
    resolversIn(resolving),
    managersOf(managerAddresses(network)),
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
function resolversIn(texts: readonly string[]): Essential[] {
  const what = 'a resolver of this machine';
  const listed = texts
    .flatMap((text) => [...text.matchAll(/^\s*nameserver\s+(\S+)/gm)])
    .flatMap(([, address]) => essential(address ?? '', what));
  if (listed.length > 0) return listed;
  // A new one, as each knows what there was when it was made.
  return new Resolver().getServers().flatMap((server) => {
    // `192.0.2.1:5353`, `[2001:db8::1]:5353` where the port is another one than 53.
    const address = isIP(server) === 0 ? server.replace(/^\[?(.*?)\]?:\d+$/, '$1') : server;
    return essential(address, what);
  });
}

async function managersOf(addresses: Promise<readonly string[]>): Promise<Essential[]> {
  return (await addresses).flatMap((address) => essential(address, 'the manager'));
}

function essential(address: string, what: string): Essential[] {
  const target = parseTarget(address.split('%')[0] ?? '');
  if (target === undefined || target.address === '0.0.0.0' || target.address === '::') return [];
  return [{ target, what }];
}

async function readOrEmpty(file: string): Promise<string> {
  return readFile(file, 'utf8').catch(() => '');
}
