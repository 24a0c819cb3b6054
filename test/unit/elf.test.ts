import fc from 'fast-check';
import { expect, test } from 'vitest';
import { neededLibraries } from '../../agent/system/elf.ts';

interface Shape {
  readonly wide: boolean;
  readonly little: boolean;
}

/** The smallest program with these NEEDED entries: header, two program headers, dynamic, strings. */
function elf({ wide, little }: Shape, needed: readonly string[]): Buffer {
  const bytes = Buffer.alloc(4_096);
  const int = (value: number, at: number) =>
    little ? bytes.writeUInt32LE(value, at) : bytes.writeUInt32BE(value, at);
  const half = (value: number, at: number) =>
    little ? bytes.writeUInt16LE(value, at) : bytes.writeUInt16BE(value, at);
  const word = (value: number, at: number) => {
    if (!wide) return int(value, at);
    return little
      ? bytes.writeBigUInt64LE(BigInt(value), at)
      : bytes.writeBigUInt64BE(BigInt(value), at);
  };
  bytes.write('\x7fELF', 0, 'latin1');
  bytes[4] = wide ? 2 : 1;
  bytes[5] = little ? 1 : 2;
  const [headers, entry, dynamic, strings, base] = [256, wide ? 56 : 32, 1_024, 2_048, 0x400000];
  word(headers, wide ? 32 : 28);
  half(entry, wide ? 54 : 42);
  half(2, wide ? 56 : 44);
  const segment = (index: number, type: number, offset: number, address: number, size: number) => {
    const at = headers + index * entry;
    int(type, at);
    word(offset, at + (wide ? 8 : 4));
    word(address, at + (wide ? 16 : 8));
    word(size, at + (wide ? 32 : 16));
  };
  segment(0, 1, 0, base, bytes.length);
  segment(1, 2, dynamic, base + dynamic, 512);
  const step = wide ? 8 : 4;
  let at = dynamic;
  let text = strings + 1;
  for (const name of needed) {
    word(1, at);
    word(text - strings, at + step);
    bytes.write(`${name}\0`, text, 'latin1');
    at += 2 * step;
    text += name.length + 1;
  }
  word(5, at);
  word(base + strings, at + step);
  return bytes;
}

const shapes: Shape[] = [true, false].flatMap((wide) =>
  [true, false].map((little) => ({ wide, little })),
);

test.each(shapes)('libraries are read (64 bits: $wide, little-endian: $little)', (shape) => {
  expect(neededLibraries(elf(shape, ['libwrap.so.0', 'libc.so.6']))).toEqual([
    'libwrap.so.0',
    'libc.so.6',
  ]);
  expect(neededLibraries(elf(shape, []))).toEqual([]);
});

test('what is no program is none', () => {
  expect(neededLibraries(Buffer.alloc(0))).toBeUndefined();
  expect(neededLibraries(Buffer.from('#!/bin/sh\nexec /usr/sbin/sshd.real\n'.padEnd(80)))).toBe(
    undefined,
  );
});

test('a program that is cut off or damaged is read or is none, and nothing is thrown', () => {
  const shape = fc.constantFrom(...shapes);
  const cut = fc.nat(4_096);
  const damage = fc.array(fc.tuple(fc.nat(4_095), fc.nat(255)), { maxLength: 40 });
  fc.assert(
    fc.property(shape, cut, damage, (one, length, changes) => {
      const bytes = elf(one, ['libwrap.so.0']);
      for (const [at, value] of changes) bytes[at] = value;
      const found = neededLibraries(bytes.subarray(0, length));
      return found === undefined || Array.isArray(found);
    }),
    { numRuns: 2_000 },
  );
});
