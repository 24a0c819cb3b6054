/** A rule of the Windows firewall: what netsh is told of it, and how the registry has it. */
import { isIPv4, isIPv6 } from 'node:net';
import { parseTarget } from '../../platform/target.ts';
import type { Given } from './netsh-firewall.ts';

/** As is reported of one rule. */
const mostAddresses = 1_000;
const words = /^(localsubnet|dns|dhcp|wins|defaultgateway)$/i;

export interface SimAddress {
  readonly field: 'RA4' | 'RA6';
  readonly written: string;
}

/** An empty list is any address; undefined: the list is not taken. */
export function readAddresses(text: string): SimAddress[] | undefined {
  if (text === '' || text.toLowerCase() === 'any') return [];
  const parts = text.split(',');
  if (parts.length > mostAddresses) return undefined;
  const found = parts.map(readAddress);
  return found.includes(undefined) ? undefined : (found as SimAddress[]);
}

function readAddress(text: string): SimAddress | undefined {
  if (words.test(text)) return { field: 'RA4', written: text };
  const [first = '', last] = text.split('-');
  if (last !== undefined) {
    const both = isIPv4(first) && isIPv4(last);
    if (!both && !(isIPv6(first) && isIPv6(last))) return undefined;
    return { field: both ? 'RA4' : 'RA6', written: text };
  }
  const [address = '', length] = text.split('/');
  const target = isIPv4(length ?? '') ? undefined : parseTarget(text);
  if (target === undefined || isSpecial(target.text) || isIPv6(address) !== (target.family === 6)) {
    return undefined;
  }
  if (target.family === 6) return { field: 'RA6', written: asWindowsWrites(target.text) };
  const isHost = target.prefixLength === 32;
  return {
    field: 'RA4',
    written: isHost ? target.address : `${target.address}/${maskOf(target.prefixLength)}`,
  };
}

/** Unspecified and loopback addresses are refused. */
function isSpecial(text: string): boolean {
  return /^(0\.0\.0\.0|127\..*|::|::1)(\/.*)?$/.test(text);
}

/** RtlIpv6AddressToString has addresses that are compatible with IPv4 in two notations. */
function asWindowsWrites(text: string): string {
  return text.replace(/^::([0-9a-f]{1,4}):([0-9a-f]{1,4})(?=$|\/)/, (_, high, low) => {
    const number = Number.parseInt(high, 16) * 65_536 + Number.parseInt(low, 16);
    return `::${[24, 16, 8, 0].map((shift) => (number >>> shift) & 255).join('.')}`;
  });
}

export function maskOf(length: number): string {
  return [0, 8, 16, 24]
    .map((start) => 256 - 2 ** (8 - Math.min(8, Math.max(0, length - start))))
    .join('.');
}

const actions: Readonly<Record<string, string>> = {
  allow: 'Allow',
  block: 'Block',
  bypass: 'ByPass',
};

/** The fields of a rule in their order; `before` is the rule that is changed. */
export function writeRule(given: Given, before?: string): string {
  const old = new Map<string, string[]>();
  for (const field of before?.split('|').slice(1, -1) ?? []) {
    const at = field.indexOf('=');
    const key = field.slice(0, at);
    old.set(key, [...(old.get(key) ?? []), field.slice(at + 1)]);
  }
  const kept = (key: string): string[] => (old.get(key) ?? []).map((value) => `${key}=${value}`);
  const told = (option: string, key: string, write: (value: string) => string[]): string[] => {
    const value = given.get(option);
    return value === undefined ? kept(key) : write(value);
  };
  const one = (key: string, values: Readonly<Record<string, string>>) => (value: string) => [
    `${key}=${values[value.toLowerCase()]}`,
  ];
  const text = (key: string) => (value: string) => (value === '' ? [] : [`${key}=${value}`]);
  const remote = given.get('remoteip');
  const addresses = remote === undefined ? undefined : (readAddresses(remote) ?? []);
  const enable = given.get('enable') ?? (before === undefined ? 'yes' : undefined);
  return [
    'v2.33',
    ...told('action', 'Action', one('Action', actions)),
    ...(enable === undefined
      ? kept('Active')
      : [`Active=${enable.toLowerCase() === 'yes' ? 'TRUE' : 'FALSE'}`]),
    ...told('dir', 'Dir', one('Dir', { in: 'In', out: 'Out' })),
    ...told('protocol', 'Protocol', (value) => (value === 'any' ? [] : [`Protocol=${value}`])),
    ...told('profile', 'Profile', profileFields),
    ...(addresses?.map(({ field, written }) => `${field}=${written}`).sort() ?? [
      ...kept('RA4'),
      ...kept('RA6'),
    ]),
    ...told('program', 'App', text('App')),
    ...told('name', 'Name', text('Name')),
    ...told('description', 'Desc', text('Desc')),
    '',
  ].join('|');
}

function profileFields(value: string): string[] {
  if (value.toLowerCase() === 'any') return [];
  const names = value.toLowerCase().split(',');
  return ['Domain', 'Private', 'Public'].flatMap((name) =>
    names.includes(name.toLowerCase()) ? [`Profile=${name}`] : [],
  );
}
