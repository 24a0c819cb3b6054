/**
 * Archives of tar, of ar (which a .deb is) and of zip, written so that the same entries give the same bytes:
 * everything is root's, and of one time.
 */
import { crc32, deflateRawSync, gzipSync } from 'node:zlib';
import type { Entry } from './entry.ts';

const block = 512;

/** `prefix` stands before every path, such as `.` or `ar-exec-0.1.0-linux-x64`. POSIX ustar. */
export function tar(entries: readonly Entry[], prefix: string, seconds: number): Buffer {
  const parts = entries.flatMap((entry) => {
    const isFolder = entry.kind === 'folder';
    const bytes = isFolder ? Buffer.alloc(0) : entry.bytes;
    const header = tarHeader(`${prefix}${entry.path}${isFolder && entry.path !== '/' ? '/' : ''}`, {
      mode: entry.mode,
      size: bytes.length,
      seconds,
      type: isFolder ? '5' : '0',
    });
    return [header, bytes, Buffer.alloc(-bytes.length & (block - 1))];
  });
  return Buffer.concat([...parts, Buffer.alloc(2 * block)]);
}

interface Facts {
  readonly mode: number;
  readonly size: number;
  readonly seconds: number;
  readonly type: '0' | '5';
}

function tarHeader(path: string, { mode, size, seconds, type }: Facts): Buffer {
  const header = Buffer.alloc(block);
  const octal = (value: number, digits: number) => `${value.toString(8).padStart(digits, '0')}\0`;
  const [name, before] = splitPath(path);
  header.write(name, 0);
  header.write(octal(mode, 7), 100);
  header.write(octal(0, 7), 108);
  header.write(octal(0, 7), 116);
  header.write(octal(size, 11), 124);
  header.write(octal(seconds, 11), 136);
  header.write(' '.repeat(8), 148);
  header.write(type, 156);
  header.write('ustar\x0000', 257);
  header.write('root', 265);
  header.write('root', 297);
  header.write(before, 345);
  header.write(
    `${octal(
      header.reduce((sum, byte) => sum + byte, 0),
      6,
    )} `,
    148,
  );
  return header;
}

function splitPath(path: string): [name: string, before: string] {
  if (path.length <= 100) return [path, ''];
  const at = path.indexOf('/', path.length - 101);
  if (at === -1 || at > 155) throw new Error(`${path} is too long for an archive`);
  return [path.slice(at + 1), path.slice(0, at)];
}

/** As binutils' ar does, without its extended names. */
export function ar(members: readonly (readonly [name: string, bytes: Buffer])[], seconds: number) {
  const parts = members.flatMap(([name, bytes]) => [
    Buffer.from(
      `${name.padEnd(16)}${String(seconds).padEnd(12)}${'0'.padEnd(6)}${'0'.padEnd(6)}${'100644'.padEnd(8)}${String(bytes.length).padEnd(10)}\`\n`,
    ),
    bytes,
    Buffer.alloc(bytes.length % 2, '\n'),
  ]);
  return Buffer.concat([Buffer.from('!<arch>\n'), ...parts]);
}

/** Without a name and a time of its own. */
export function gzip(bytes: Buffer): Buffer {
  return gzipSync(bytes, { level: 9 });
}

/** APPNOTE.TXT of PKWARE, version 2.0: deflated, with the rights of Unix. */
export function zip(entries: readonly Entry[], prefix: string, seconds: number): Buffer {
  const when = dosTime(seconds);
  const records: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const entry of entries) {
    const isFolder = entry.kind === 'folder';
    const bytes = isFolder ? Buffer.alloc(0) : entry.bytes;
    const packed = isFolder ? bytes : deflateRawSync(bytes, { level: 9 });
    const name = Buffer.from(`${prefix}${entry.path}${isFolder ? '/' : ''}`);
    const shared = Buffer.alloc(26);
    shared.writeUInt16LE(20, 0);
    // Bit 11: names are UTF-8.
    shared.writeUInt16LE(0x800, 2);
    shared.writeUInt16LE(isFolder ? 0 : 8, 4);
    shared.writeUInt32LE(when, 6);
    shared.writeUInt32LE(crc32(bytes), 10);
    shared.writeUInt32LE(packed.length, 14);
    shared.writeUInt32LE(bytes.length, 18);
    shared.writeUInt16LE(name.length, 22);
    const rights = Buffer.alloc(14);
    rights.writeUInt32LE((((isFolder ? 0o040000 : 0o100000) | entry.mode) << 16) >>> 0, 6);
    rights.writeUInt32LE(offset, 10);
    const made = Buffer.from([20, 3]);
    directory.push(Buffer.from('PK\x01\x02', 'latin1'), made, shared, rights, name);
    const record = [Buffer.from('PK\x03\x04', 'latin1'), shared, name, packed];
    records.push(...record);
    offset += record.reduce((sum, part) => sum + part.length, 0);
  }
  const list = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06', 'latin1');
  end.writeUInt16LE(entries.length, 8);
  end.writeUInt16LE(entries.length, 10);
  end.writeUInt32LE(list.length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...records, list, end]);
}

/** In UTC: the place where it is built does not count. */
function dosTime(seconds: number): number {
  const at = new Date(seconds * 1_000);
  const date =
    ((at.getUTCFullYear() - 1980) << 9) | ((at.getUTCMonth() + 1) << 5) | at.getUTCDate();
  const time = (at.getUTCHours() << 11) | (at.getUTCMinutes() << 5) | (at.getUTCSeconds() >> 1);
  return ((date << 16) | time) >>> 0;
}
