import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  causeOf,
  readAttributes,
  readMessages,
  textOf,
  u16,
  u32,
  writeAttribute,
  writeMessage,
} from '../../agent/system/watch/netlink-message.ts';
import {
  concerns,
  describeChange,
  programOf,
  readChange,
} from '../../agent/system/watch/nftables-message.ts';
import { readRouteChange } from '../../agent/system/watch/route-message.ts';
import type { NftablesWatch } from '../../platform/driver.ts';

const name = (text: string) => Buffer.from(`${text}\0`);
/** A message of nftables: its kind, the family, the table and, of some, the set. */
const nft = (kind: number, family: number, table: string, set?: string) => {
  const parts = [Buffer.from([family, 0, 0, 0]), writeAttribute(1, name(table))];
  if (set !== undefined) parts.push(writeAttribute(2, name(set)));
  return writeMessage((10 << 8) | kind, 0, Buffer.concat(parts));
};
const changeIn = (message: Buffer) => {
  const [read] = readMessages(message);
  return read === undefined ? undefined : readChange(read);
};

test('messages and attributes come back as they were written', () => {
  const bytes = fc.uint8Array({ maxLength: 40 }).map((array) => Buffer.from(array));
  const attribute = fc.tuple(fc.nat(0x3fff), bytes);
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(0xffff), fc.array(attribute))), (messages) => {
      const written = messages.map(([type, attributes]) => {
        const payload = attributes.map(([of, value]) => writeAttribute(of, value));
        return writeMessage(type, 1, Buffer.concat(payload));
      });
      const read = readMessages(Buffer.concat(written));
      expect(
        read.map(({ type, payload }) => [
          type,
          readAttributes(payload, 0).map((one) => [one.type, Buffer.from(one.value)]),
        ]),
      ).toEqual(messages);
    }),
  );
});

test('whatever bytes come, reading ends and stays within them', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (array) => {
      const bytes = Buffer.from(array);
      causeOf(bytes);
      for (const message of readMessages(bytes)) {
        expect(message.payload.length).toBeLessThanOrEqual(bytes.length - 16);
        const change = readChange(message);
        if (change !== undefined) describeChange(change, watch);
        programOf(message);
        readRouteChange(message, 173);
        for (const { value } of readAttributes(message.payload, 4)) textOf(value);
      }
    }),
  );
  expect(u16(Buffer.from(Uint16Array.of(0x1234).buffer), 0)).toBe(0x1234);
  expect(u32(Buffer.from(Uint32Array.of(0x12345678).buffer), 0)).toBe(0x12345678);
});

const watch: NftablesWatch = { kind: 'nftables', family: 'inet', table: 'ar-exec' };

test.each([
  ['the table deleted', nft(2, 1, 'ar-exec'), 'table inet ar-exec deleted'],
  ['a rule added', nft(6, 1, 'ar-exec'), 'table inet ar-exec: rule added'],
  ['an element', nft(14, 1, 'ar-exec', 's'), 'table inet ar-exec: element of s deleted'],
])('of a table of ours, %s concerns us', (_name, message, words) => {
  const change = changeIn(message);
  expect(change).toBeDefined();
  if (change === undefined) return;
  expect(concerns(watch, change)).toBe(true);
  expect(describeChange(change, watch)).toBe(words);
});

test.each([
  ['another table', nft(2, 1, 'ar-exec-office')],
  ['another family', nft(2, 2, 'ar-exec')],
])('%s does not', (_name, message) => {
  const change = changeIn(message);
  expect(change === undefined || concerns(watch, change)).toBe(false);
});

test('of a set of theirs, only what takes away concerns us', () => {
  const theirs: NftablesWatch = { kind: 'nftables', family: 'inet', table: 'filter', set: 's' };
  const isOurs = (...of: Parameters<typeof nft>): boolean => {
    const change = changeIn(nft(...of));
    return change !== undefined && concerns(theirs, change);
  };
  expect([14, 11, 9].map((kind) => isOurs(kind, 1, 'filter', 's'))).toEqual([true, true, true]);
  expect(isOurs(2, 1, 'filter')).toBe(true);
  expect(isOurs(12, 1, 'filter', 's')).toBe(false);
  expect(isOurs(14, 1, 'filter', 'other')).toBe(false);
  expect(isOurs(6, 1, 'filter')).toBe(false);
  expect(isOurs(0, 1, 'filter')).toBe(false);
});

test('routes: those of ours that are deleted, and single addresses put in another place', () => {
  const route = (type: number, flags: number, family: number, length: number, by: number) =>
    readMessages(
      writeMessage(type, flags, Buffer.from([family, length, 0, 0, 254, by, 0, 6, 0, 0, 0, 0])),
    ).map((message) => readRouteChange(message, 173))[0];
  expect(route(25, 0, 2, 32, 173)).toBe('route deleted');
  expect(route(25, 0, 2, 32, 3)).toBeUndefined();
  expect(route(24, 0x100, 2, 32, 3)).toBe('route replaced');
  expect(route(24, 0x100, 10, 128, 3)).toBe('route replaced');
  expect(route(24, 0x100, 2, 24, 3)).toBeUndefined();
  expect(route(24, 0x400, 2, 32, 3)).toBeUndefined();
  expect(route(24, 0x100, 2, 32, 173)).toBeUndefined();
});
