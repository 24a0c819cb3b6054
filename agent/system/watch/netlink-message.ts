/** Messages of netlink(7), as bytes and back. Numbers are as this machine has them. */
import { endianness } from 'node:os';

export interface NetlinkMessage {
  readonly type: number;
  readonly flags: number;
  /** Of a notification: who has caused it; for programs mostly the number of their process. */
  readonly portId: number;
  readonly payload: Buffer;
}

export interface Attribute {
  readonly type: number;
  readonly value: Buffer;
}

const headerBytes = 16;
const attributeHeaderBytes = 4;
/** NLA_F_NESTED and NLA_F_NET_BYTEORDER say nothing that who reads does not know. */
const typeMask = 0x3fff;
const little = endianness() === 'LE';

export function u16(bytes: Buffer, at: number): number {
  return little ? bytes.readUInt16LE(at) : bytes.readUInt16BE(at);
}

export function u32(bytes: Buffer, at: number): number {
  return little ? bytes.readUInt32LE(at) : bytes.readUInt32BE(at);
}

/** The number of the process (mostly) that has caused what a datagram tells; all of it is of one. */
export function causeOf(datagram: Buffer): number {
  return datagram.length < headerBytes ? 0 : u32(datagram, 12);
}

/** The messages of a datagram, as far as they are whole. */
export function readMessages(datagram: Buffer): NetlinkMessage[] {
  const messages: NetlinkMessage[] = [];
  for (let at = 0; at + headerBytes <= datagram.length; ) {
    const length = u32(datagram, at);
    if (length < headerBytes || at + length > datagram.length) break;
    messages.push({
      type: u16(datagram, at + 4),
      flags: u16(datagram, at + 6),
      portId: u32(datagram, at + 12),
      payload: datagram.subarray(at + headerBytes, at + length),
    });
    at += aligned(length);
  }
  return messages;
}

/** The attributes from a place on, as far as they are whole. */
export function readAttributes(bytes: Buffer, from: number): Attribute[] {
  const attributes: Attribute[] = [];
  for (let at = from; at + attributeHeaderBytes <= bytes.length; ) {
    const length = u16(bytes, at);
    if (length < attributeHeaderBytes || at + length > bytes.length) break;
    attributes.push({
      type: u16(bytes, at + 2) & typeMask,
      value: bytes.subarray(at + attributeHeaderBytes, at + length),
    });
    at += aligned(length);
  }
  return attributes;
}

export function writeMessage(type: number, flags: number, payload: Buffer): Buffer {
  const header = Buffer.alloc(headerBytes);
  put32(header, headerBytes + payload.length, 0);
  put16(header, type, 4);
  put16(header, flags, 6);
  return Buffer.concat([header, payload]);
}

export function writeAttribute(type: number, value: Buffer): Buffer {
  const length = attributeHeaderBytes + value.length;
  const bytes = Buffer.alloc(aligned(length));
  put16(bytes, length, 0);
  put16(bytes, type, 2);
  value.copy(bytes, attributeHeaderBytes);
  return bytes;
}

/** A text that ends with a 0, as the kernel writes names. */
export function textOf(value: Buffer): string {
  const end = value.indexOf(0);
  return value.toString('utf8', 0, end === -1 ? value.length : end);
}

function aligned(length: number): number {
  return (length + 3) & ~3;
}

function put16(bytes: Buffer, value: number, at: number): void {
  if (little) bytes.writeUInt16LE(value, at);
  else bytes.writeUInt16BE(value, at);
}

function put32(bytes: Buffer, value: number, at: number): void {
  if (little) bytes.writeUInt32LE(value, at);
  else bytes.writeUInt32BE(value, at);
}
