/**
 * What a process did to the files of a folder, as strace recorded it, and what could be on the disk if
 * the power had gone at any moment: all that was synced, and any part of what was not.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Chance } from './course.ts';

export type DiskOperation =
  | { readonly kind: 'create' | 'unlink' | 'sync'; readonly path: string }
  | { readonly kind: 'write'; readonly path: string; readonly data: Buffer; readonly at?: number }
  | { readonly kind: 'truncate'; readonly path: string; readonly size: number }
  | { readonly kind: 'rename' | 'link'; readonly path: string; readonly to: string }
  /** The process said something: what it has promised by then. */
  | { readonly kind: 'said'; readonly path: string; readonly text: string };

const calls = 'openat,write,pwrite64,ftruncate,fsync,fdatasync,unlink,rename,link';
/** Whole pages, as text that no quoting can spoil. */
export const straceOptions: readonly string[] = [
  '-f',
  '-y',
  '-xx',
  '-s',
  '1000000',
  '-e',
  `trace=${calls}`,
];

const plain = (text: string): string =>
  text.replaceAll(/\\x([0-9a-f]{2})/g, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16)));

/** The operations on files within `folder`, and what was written to standard output, in their order. */
export async function readTrace(file: string, folder: string): Promise<DiskOperation[]> {
  const begun = new Map<string, string>();
  const operations: DiskOperation[] = [];
  for (const line of (await readFile(file, 'latin1')).split('\n')) {
    const [, pid = '', rest = ''] = /^(\d+) +(.*)$/.exec(line) ?? [];
    if (rest.endsWith('<unfinished ...>')) {
      begun.set(pid, rest.replace(/<unfinished \.\.\.>$/, ''));
      continue;
    }
    const resumed = /^<\.\.\. \w+ resumed>(.*)$/.exec(rest);
    const call = resumed === null ? rest : `${begun.get(pid) ?? ''}${resumed[1]}`;
    const operation = parse(call);
    if (operation === undefined) continue;
    if (operation.kind === 'said' || isWithin(operation.path, folder)) operations.push(operation);
  }
  return operations;
}

function isWithin(path: string, folder: string): boolean {
  return path === folder || path.startsWith(`${folder}/`);
}

function parse(call: string): DiskOperation | undefined {
  const [, name, args = '', result = ''] = /^(\w+)\((.*)\) += +(-?\d+)/.exec(call) ?? [];
  if (name === undefined || result.startsWith('-')) return undefined;
  const path = plain(/^\d+<([^>]*)>/.exec(args)?.[1] ?? '');
  const texts = [...args.matchAll(/"((?:\\x[0-9a-f]{2})*)"/g)].map(([, text = '']) => text);
  const data = () => Buffer.from((texts[0] ?? '').replaceAll('\\x', ''), 'hex');
  switch (name) {
    case 'openat':
      return args.includes('O_CREAT') ? { kind: 'create', path: plain(texts[0] ?? '') } : undefined;
    case 'write':
      return args.startsWith('1<')
        ? { kind: 'said', path, text: data().toString() }
        : { kind: 'write', path, data: data() };
    case 'pwrite64':
      return { kind: 'write', path, data: data(), at: Number(/, (\d+)$/.exec(args)?.[1]) };
    case 'ftruncate':
      return { kind: 'truncate', path, size: Number(/, (\d+)$/.exec(args)?.[1]) };
    case 'fsync':
    case 'fdatasync':
      return { kind: 'sync', path };
    case 'unlink':
      return { kind: 'unlink', path: plain(texts[0] ?? '') };
    case 'rename':
    case 'link':
      return { kind: name, path: plain(texts[0] ?? ''), to: plain(texts[1] ?? '') };
    default:
      return undefined;
  }
}

interface Inode {
  durable: Buffer;
  pending: Extract<DiskOperation, { kind: 'write' | 'truncate' }>[];
}

/** A disk that is written to as recorded, operation by operation. */
export interface Disk {
  apply(operation: DiskOperation): void;
  /** Writes into `folder` what could be there if the power went now. */
  cut(folder: string, chance: Chance): Promise<void>;
}

const sector = 512;

export function createDisk(): Disk {
  /** As the process sees them, and as they are on the disk, with what was done to them since. */
  const names = new Map<string, Inode>();
  const durableNames = new Map<string, Inode>();
  let changes: ((all: Map<string, Inode>) => void)[] = [];

  const change = (work: (all: Map<string, Inode>) => void): void => {
    work(names);
    changes.push(work);
  };
  const write = (bytes: Buffer, at: number, data: Buffer): Buffer => {
    const grown = Buffer.alloc(Math.max(bytes.length, at + data.length));
    bytes.copy(grown);
    data.copy(grown, at);
    return grown;
  };
  const whole = ({ durable, pending }: Inode): Buffer =>
    pending.reduce((bytes, one) => {
      if (one.kind === 'write') return write(bytes, one.at ?? bytes.length, one.data);
      return one.size <= bytes.length
        ? bytes.subarray(0, one.size)
        : write(bytes, one.size, Buffer.alloc(0));
    }, durable);
  /** Each sector of what was not synced is there, or not. */
  const torn = ({ durable, pending }: Inode, chance: Chance): Buffer => {
    const all = chance.below(4) === 0;
    let bytes = durable;
    for (const one of pending) {
      if (one.kind === 'truncate') {
        if (all || chance.below(2) === 0)
          bytes = bytes.subarray(0, Math.min(one.size, bytes.length));
        continue;
      }
      const start = one.at ?? bytes.length;
      for (let at = 0; at < one.data.length; at += sector) {
        if (!all && chance.below(2) === 0) continue;
        bytes = write(bytes, start + at, one.data.subarray(at, at + sector));
      }
    }
    return bytes;
  };

  return {
    apply: (operation) => {
      const { path } = operation;
      switch (operation.kind) {
        case 'create':
          if (!names.has(path)) {
            const made: Inode = { durable: Buffer.alloc(0), pending: [] };
            change((all) => all.set(path, made));
          }
          break;
        case 'unlink':
          change((all) => all.delete(path));
          break;
        case 'rename':
        case 'link': {
          const moved = names.get(path);
          change((all) => {
            if (operation.kind === 'rename') all.delete(path);
            if (moved !== undefined) all.set(operation.to, moved);
          });
          break;
        }
        case 'write':
        case 'truncate': {
          const inode = names.get(path);
          const at =
            operation.kind === 'write' && inode ? (operation.at ?? whole(inode).length) : 0;
          inode?.pending.push(operation.kind === 'write' ? { ...operation, at } : operation);
          break;
        }
        case 'sync': {
          const inode = names.get(path);
          if (inode === undefined) {
            // The folder: names are on the disk with it, and not before.
            for (const work of changes) work(durableNames);
            changes = [];
          } else {
            inode.durable = whole(inode);
            inode.pending = [];
          }
          break;
        }
        case 'said':
          break;
      }
    },
    cut: async (folder, chance) => {
      const there = new Map(durableNames);
      for (const work of changes.slice(0, chance.below(changes.length + 1))) work(there);
      for (const [path, inode] of there) {
        const place = join(folder, basename(path));
        await mkdir(dirname(place), { recursive: true });
        await writeFile(place, torn(inode, chance));
      }
    },
  };
}
