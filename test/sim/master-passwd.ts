/** /etc/master.passwd of a simulated BSD, as its tools read and write it: passwd(5). */
import type { Call } from './simulator.ts';

export const path = '/etc/master.passwd';

export interface Entry {
  name: string;
  password: string;
  uid: string;
  gid: string;
  class: string;
  change: string;
  expire: string;
  gecos: string;
  home: string;
  shell: string;
}

/** `undefined`: nobody has that name. */
export function findEntry({ readFile }: Pick<Call, 'readFile'>, name: string): Entry | undefined {
  const line = lines(readFile(path) ?? '').find((one) => one.startsWith(`${name}:`));
  return line === undefined ? undefined : parseEntry(line);
}

/** The first line of that name; all others stay as they are. */
export function replaceEntry({ readFile, writeFile }: Call, entry: Entry): void {
  const all = lines(readFile(path) ?? '');
  const place = all.findIndex((one) => one.startsWith(`${entry.name}:`));
  writeFile(path, `${all.with(place, formatEntry(entry)).join('\n')}\n`);
}

export function formatEntry(entry: Entry): string {
  const { name, password, uid, gid, change, expire, gecos, home, shell } = entry;
  return [name, password, uid, gid, entry.class, change, expire, gecos, home, shell].join(':');
}

function parseEntry(line: string): Entry {
  const [name = '', password = '', uid = '', gid = '', klass = '', ...rest] = line.split(':');
  const [change = '', expire = '', gecos = '', home = '', shell = ''] = rest;
  return { name, password, uid, gid, class: klass, change, expire, gecos, home, shell };
}

function lines(text: string): string[] {
  return text.split('\n').filter((line) => line !== '');
}
