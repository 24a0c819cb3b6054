/** Whole messages of D-Bus (D-Bus specification, "Message Format"). */
import { parseSignature } from './signature.ts';
import { createReader, createWriter, decode, encode, type Read, type Sent } from './wire.ts';

/** A method call, on its way out. */
export interface Call {
  readonly destination: string;
  readonly path: string;
  readonly interface: string;
  readonly member: string;
  readonly signature: string;
  readonly args: readonly Sent[];
}

/** A message that came in; members that it does not have are empty. */
export interface Incoming {
  readonly kind: 'call' | 'return' | 'error' | 'signal' | 'other';
  readonly serial: number;
  readonly replyTo: number;
  readonly path: string;
  readonly interface: string;
  readonly member: string;
  readonly errorName: string;
  readonly sender: string;
  readonly body: readonly Read[];
}

const kinds = ['other', 'call', 'return', 'error', 'signal'] as const;
/** A service that does not run is not started by asking it. */
const noAutoStart = 2;
const header = parseSignature('a(yv)')[0] as ReturnType<typeof parseSignature>[number];
/** What a header field is called, by its number. */
const fields = [
  '',
  'path',
  'interface',
  'member',
  'errorName',
  'replyTo',
  'destination',
  'sender',
  'signature',
] as const;
const longestBytes = 134_217_728;

/** A method call as bytes. Throws when its arguments do not fit its signature. */
export function writeCall(serial: number, call: Call): Buffer {
  const body = encode(call.signature, call.args);
  const writer = createWriter();
  writer.byte('l'.charCodeAt(0));
  writer.byte(kinds.indexOf('call'));
  writer.byte(noAutoStart);
  writer.byte(1);
  writer.uint32(body.length);
  writer.uint32(serial);
  const own = createWriter();
  const field = (name: (typeof fields)[number], code: string, value: string): void => {
    own.align(8);
    own.byte(fields.indexOf(name));
    own.value(signatureType, code);
    own.value(parseSignature(code)[0] as typeof signatureType, value);
  };
  field('path', 'o', call.path);
  field('interface', 's', call.interface);
  field('member', 's', call.member);
  field('destination', 's', call.destination);
  if (call.signature !== '') field('signature', 'g', call.signature);
  const fieldBytes = own.done();
  // The fields begin on a boundary of eight bytes here, as they do in the message.
  writer.uint32(fieldBytes.length);
  const head = Buffer.concat([writer.done(), fieldBytes]);
  const padding = Buffer.alloc((8 - (head.length % 8)) % 8);
  return Buffer.concat([head, padding, body]);
}

const signatureType = { code: 'g', inner: [] } as const;

/** How long the message that begins here is; undefined when that cannot be told yet. */
export function messageLength(bytes: Buffer): number | undefined {
  if (bytes.length < 16) return undefined;
  const little = isLittle(bytes);
  const word = (at: number): number => (little ? bytes.readUInt32LE(at) : bytes.readUInt32BE(at));
  const headEnd = 16 + word(12);
  const length = headEnd + ((8 - (headEnd % 8)) % 8) + word(4);
  if (length > longestBytes) throw new Error('too long a message from D-Bus');
  return length;
}

/** Understands one whole message. Throws when it is none. */
export function readMessage(bytes: Buffer): Incoming {
  const little = isLittle(bytes);
  const reader = createReader(bytes, little);
  for (let skipped = 0; skipped < 4; skipped += 1) reader.value({ code: 'y', inner: [] });
  const bodyLength = reader.uint32();
  const serial = reader.uint32();
  const said: Partial<Record<string, Read>> = {};
  for (const entry of reader.value(header) as readonly (readonly [number, Read])[]) {
    said[fields[entry[0]] ?? ''] = entry[1];
  }
  const text = (name: string): string => String(said[name] ?? '');
  const body = bytes.subarray(bytes.length - bodyLength);
  return {
    kind: kinds[bytes[1] ?? 0] ?? 'other',
    serial,
    replyTo: Number(said['replyTo'] ?? 0),
    path: text('path'),
    interface: text('interface'),
    member: text('member'),
    errorName: text('errorName'),
    sender: text('sender'),
    body: decode(text('signature'), body, little),
  };
}

function isLittle(bytes: Buffer): boolean {
  const order = String.fromCharCode(bytes[0] ?? 0);
  if (order !== 'l' && order !== 'B') throw new Error('what came is no D-Bus message');
  return order === 'l';
}
