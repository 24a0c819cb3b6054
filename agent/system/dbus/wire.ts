/** Values as D-Bus has them on the wire (D-Bus specification, "Marshalling"). */
import { boundaryOf, parseSignature, type Type } from './signature.ts';

/** What can be sent. A structure is an array; dictionaries and variants are not needed here. */
export type Sent = string | number | boolean | readonly Sent[];

/**
 * What is read: a dictionary is an object, a structure an array, a variant its value. A 64-bit number
 * that a JavaScript number cannot hold is its digits.
 */
export type Read = string | number | boolean | readonly Read[] | { readonly [key: string]: Read };

const longestArrayBytes = 67_108_864;

/** The values of a body. Throws when they do not fit their signature. */
export function encode(signature: string, values: readonly Sent[]): Buffer {
  const types = parseSignature(signature);
  if (types.length !== values.length) throw new Error(`${values.length} values for ${signature}`);
  const writer = createWriter();
  types.forEach((type, index) => {
    writer.value(type, values[index] as Sent);
  });
  return writer.done();
}

/** Collects bytes; every value stands on its boundary, counted from the first. */
export function createWriter() {
  let bytes = Buffer.alloc(256);
  let length = 0;

  const room = (more: number): void => {
    if (length + more <= bytes.length) return;
    const larger = Buffer.alloc(Math.max(bytes.length * 2, length + more));
    bytes.copy(larger, 0, 0, length);
    bytes = larger;
  };
  const align = (boundary: number): void => {
    const padding = (boundary - (length % boundary)) % boundary;
    room(padding);
    bytes.fill(0, length, length + padding);
    length += padding;
  };
  const byte = (value: number): void => {
    room(1);
    length = bytes.writeUInt8(value, length);
  };
  const uint32 = (value: number): void => {
    align(4);
    room(4);
    length = bytes.writeUInt32LE(value, length);
  };
  const text = (value: string): void => {
    if (value.includes('\0')) throw new Error('a text for D-Bus must not contain a NUL');
    room(Buffer.byteLength(value) + 1);
    length += bytes.write(value, length);
    byte(0);
  };

  const string = (one: Sent): void => {
    if (typeof one !== 'string') throw new Error(`${JSON.stringify(one)} is no text`);
    uint32(Buffer.byteLength(one));
    text(one);
  };
  const value = (type: Type, one: Sent): void => {
    if (type.code === 'y') byte(one as number);
    else if (type.code === 'u') uint32(one as number);
    else if (type.code === 'b') uint32(one === true ? 1 : 0);
    else if (type.code === 'i') uint32((one as number) >>> 0);
    else if (type.code === 's' || type.code === 'o') string(one);
    else if (type.code === 'a') array(type.inner[0] as Type, one as readonly Sent[]);
    else if (type.code === 'g') {
      byte(Buffer.byteLength(one as string));
      text(one as string);
    } else if (type.code === '(') {
      align(8);
      type.inner.forEach((inner, index) => {
        value(inner, (one as readonly Sent[])[index] as Sent);
      });
    } else throw new Error(`values of the D-Bus type ${type.code} are not sent`);
  };

  const array = (inner: Type, all: readonly Sent[]): void => {
    uint32(0);
    const lengthAt = length - 4;
    align(boundaryOf(inner));
    const start = length;
    for (const one of all) value(inner, one);
    if (length - start > longestArrayBytes) throw new Error('too long an array for D-Bus');
    bytes.writeUInt32LE(length - start, lengthAt);
  };

  return { value, byte, uint32, align, text, done: () => bytes.subarray(0, length) };
}

/** The values of a body. Throws when there are not as many bytes as its signature asks for. */
export function decode(signature: string, bytes: Buffer, littleEndian: boolean): Read[] {
  const reader = createReader(bytes, littleEndian);
  return parseSignature(signature).map(reader.value);
}

export function createReader(bytes: Buffer, littleEndian: boolean) {
  let at = 0;

  const take = (count: number): number => {
    const start = at;
    if (start + count > bytes.length) throw new Error('a D-Bus message is cut off');
    at += count;
    return start;
  };
  const align = (boundary: number): void => {
    take((boundary - (at % boundary)) % boundary);
  };
  const text = (count: number): string => {
    const start = take(count + 1);
    return bytes.toString('utf8', start, start + count);
  };
  const number = (type: Type): number => {
    const size = boundaryOf(type);
    align(size);
    const start = take(size);
    const signed = type.code === 'n' || type.code === 'i';
    if (type.code === 'd')
      return littleEndian ? bytes.readDoubleLE(start) : bytes.readDoubleBE(start);
    if (signed) {
      return littleEndian ? bytes.readIntLE(start, size) : bytes.readIntBE(start, size);
    }
    return littleEndian ? bytes.readUIntLE(start, size) : bytes.readUIntBE(start, size);
  };
  const long = (code: string): number | string => {
    align(8);
    const start = take(8);
    const signed = code === 'x';
    const big = littleEndian
      ? bytes[signed ? 'readBigInt64LE' : 'readBigUInt64LE'](start)
      : bytes[signed ? 'readBigInt64BE' : 'readBigUInt64BE'](start);
    const small = Number(big);
    return Number.isSafeInteger(small) ? small : String(big);
  };
  const uint32 = (): number => number({ code: 'u', inner: [] });

  const value = (type: Type): Read => {
    switch (type.code) {
      case 'b':
        return uint32() === 1;
      case 's':
      case 'o':
        return text(uint32());
      case 'g':
        return text(bytes[take(1)] ?? 0);
      case 'x':
      case 't':
        return long(type.code);
      case 'v':
        return variant();
      case 'a':
        return array(type.inner[0] as Type);
      case '(':
      case '{':
        align(8);
        return type.inner.map(value);
      default:
        return number(type);
    }
  };
  const variant = (): Read => {
    const [type, ...more] = parseSignature(text(bytes[take(1)] ?? 0));
    if (type === undefined || more.length > 0) throw new Error('a D-Bus variant of no type');
    return value(type);
  };
  const array = (inner: Type): Read => {
    const size = uint32();
    if (size > longestArrayBytes) throw new Error('too long an array from D-Bus');
    align(boundaryOf(inner));
    const end = at + size;
    if (end > bytes.length) throw new Error('a D-Bus message is cut off');
    const all: Read[] = [];
    while (at < end) all.push(value(inner));
    if (at !== end) throw new Error('a D-Bus array of another length than it says');
    if (inner.code !== '{') return all;
    return Object.fromEntries(all.map((entry) => entry as unknown as [string, Read]));
  };
  return { value, align, uint32, at: () => at };
}
