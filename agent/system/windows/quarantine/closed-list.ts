/** The access list of the quarantine: Windows and its administrators, and what is below has the same. */

const administrators = [32, 544];
const system = [18];
/** FILE_ALL_ACCESS. */
const everything = 0x1f_01ff;
/** OBJECT_INHERIT_ACE, CONTAINER_INHERIT_ACE. */
const below = 0x3;
/** SE_SELF_RELATIVE, SE_DACL_PRESENT, SE_DACL_PROTECTED. */
const control = 0x8000 | 0x4 | 0x1000;

/** A security descriptor in one piece, with nothing but the list. `own`: the agent's SID, where needed. */
export function closedList(own?: string): Buffer {
  const ours = own === undefined ? [] : [partsOf(own)];
  const entries = [system, administrators, ...ours].map(entryFor);
  const size = 8 + entries.reduce((sum, { length }) => sum + length, 0);
  const list = Buffer.alloc(8);
  list.writeUInt8(2);
  list.writeUInt16LE(size, 2);
  list.writeUInt16LE(entries.length, 4);
  const head = Buffer.alloc(20);
  head.writeUInt8(1);
  head.writeUInt16LE(control, 2);
  head.writeUInt32LE(head.length, 16);
  return Buffer.concat([head, list, ...entries]);
}

/** The parts of a SID of the NT authority, behind `S-1-5-`. */
function partsOf(sid: string): number[] {
  return sid.split('-').slice(3).map(Number);
}

/** ACCESS_ALLOWED_ACE. */
function entryFor(parts: readonly number[]): Buffer {
  const sid = Buffer.alloc(8 + parts.length * 4);
  sid.writeUInt8(1);
  sid.writeUInt8(parts.length, 1);
  sid.writeUInt8(5, 7);
  for (const [index, part] of parts.entries()) sid.writeUInt32LE(part, 8 + index * 4);
  const head = Buffer.alloc(8);
  head.writeUInt8(below, 1);
  head.writeUInt16LE(head.length + sid.length, 2);
  head.writeUInt32LE(everything, 4);
  return Buffer.concat([head, sid]);
}
