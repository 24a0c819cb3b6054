/** Who may change a file or a folder of Windows: its owner, and its list of what is allowed to whom. */
import { withFfi } from '../ffi.ts';
import {
  library,
  memory,
  NativeFailure,
  once,
  type Pointer,
  room,
  sidText,
  wide,
} from './native.ts';
import { ownSid } from './tokens.ts';

/** One entry of an access list. */
export interface AccessEntry {
  readonly allows: boolean;
  readonly sid: string;
  /** Rights, as winnt.h has them. */
  readonly mask: number;
  /** It counts for what is made below, not here. */
  readonly inheritOnly: boolean;
}

export interface Access {
  readonly owner: string;
  /** Absent: there is no list, and everybody may do anything. */
  readonly entries: readonly AccessEntry[] | undefined;
}

/** `content`: write to it, or add something; `place`: delete, rename, or change who may do what. */
export type Harm = 'content' | 'place';

/** LocalSystem, which services run as. */
export const systemSid = 'S-1-5-18';
/** Windows, its administrators, and its installer: who could do anything anyway. */
const trusted = [
  systemSid,
  'S-1-5-32-544',
  'S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464',
];
/** CREATOR OWNER and OWNER RIGHTS: they stand for the owner, who is looked at. */
const standsForOwner = ['S-1-3-0', 'S-1-3-4'];

/** DELETE, WRITE_DAC, WRITE_OWNER, GENERIC_ALL; FILE_DELETE_CHILD of a folder. */
const placeRights = 0x0001_0000 | 0x0004_0000 | 0x0008_0000 | 0x1000_0000 | 0x40;
/** FILE_WRITE_DATA, FILE_APPEND_DATA, FILE_WRITE_EA, FILE_WRITE_ATTRIBUTES, GENERIC_WRITE. */
const contentRights = 0x2 | 0x4 | 0x10 | 0x100 | 0x4000_0000;
/** SE_FILE_OBJECT, SE_KERNEL_OBJECT. */
const fileObject = 1;
export const kernelObject = 6;
const ownerAndList = 0x1 | 0x4;
const inheritOnlyFlag = 0x8;
/** ACCESS_ALLOWED_ACE_TYPE, and the same with a condition: what may be allowed is taken for allowed. */
const allowing = [0, 9];
const denying = [1, 10];

/** Its kind, what is asked for, and where that goes: owner, group, list, audit, and who holds them. */
const asked = ['int32', 'uint32', 'buffer', 'pointer', 'buffer', 'pointer', 'buffer'] as const;

const calls = once(() =>
  withFfi((ffi) => ({
    ...ffi.dlopen(library('advapi32.dll'), {
      GetNamedSecurityInfoW: { arguments: ['buffer', ...asked], return: 'uint32' },
      GetSecurityInfo: { arguments: ['pointer', ...asked], return: 'uint32' },
    }).functions,
    ...ffi.dlopen(library('kernel32.dll'), {
      LocalFree: { arguments: ['pointer'], return: 'pointer' },
    }).functions,
  })),
);

/** Throws where it cannot be asked for. */
export function readAccess(path: string): Access {
  return accessFrom('GetNamedSecurityInfo', (owner, list, descriptor) =>
    calls().GetNamedSecurityInfoW(
      wide(path),
      fileObject,
      ownerAndList,
      owner,
      null,
      list,
      null,
      descriptor,
    ),
  );
}

/** The same of what is held by a handle that may read it. */
export function readAccessOf(handle: Pointer): Access {
  return accessFrom('GetSecurityInfo', (owner, list, descriptor) =>
    calls().GetSecurityInfo(
      handle,
      kernelObject,
      ownerAndList,
      owner,
      null,
      list,
      null,
      descriptor,
    ),
  );
}

function accessFrom(
  call: string,
  ask: (owner: Buffer, list: Buffer, descriptor: Buffer) => number,
): Access {
  const [owner, list, descriptor] = [room(), room(), room()];
  const answer = ask(owner, list, descriptor);
  if (answer !== 0) throw new NativeFailure(call, answer);
  try {
    const at = list.readBigUInt64LE();
    return {
      owner: sidText(owner.readBigUInt64LE()),
      entries: at === 0n ? undefined : readEntries(at),
    };
  } finally {
    calls().LocalFree(descriptor.readBigUInt64LE());
  }
}

/** To whom a file or a folder belongs (`S-1-5-18`); undefined if nobody tells. */
export function ownerOf(path: string): string | undefined {
  try {
    return readAccess(path).owner;
  } catch {
    return undefined;
  }
}

/** An ACL: its size at 2, how many entries at 4, and they follow from 8 on. */
function readEntries(at: Pointer): AccessEntry[] {
  const { getUint8, getUint16, getUint32 } = memory();
  const found: AccessEntry[] = [];
  let entry = at + 8n;
  for (let left = getUint16(at, 4); left > 0; left -= 1) {
    const type = getUint8(entry, 0);
    // Of other kinds there are those that only report, and those of directories.
    if (allowing.includes(type) || denying.includes(type)) {
      found.push({
        allows: allowing.includes(type),
        inheritOnly: (getUint8(entry, 1) & inheritOnlyFlag) !== 0,
        mask: getUint32(entry, 4),
        sid: sidText(entry + 8n),
      });
    }
    entry += BigInt(getUint16(entry, 2));
  }
  return found;
}

/**
 * What lets somebody do harm here who could not do anything anyway, to be read behind a path; undefined
 * if nothing does. What is denied is not counted off: a list that needs that is better mended.
 */
export function whyUntrusted(
  { owner, entries }: Access,
  harms: readonly Harm[],
  own: string = ownSid(),
): string | undefined {
  const isTrusted = (sid: string): boolean => trusted.includes(sid) || sid === own;
  if (!isTrusted(owner))
    return `belongs to ${owner}, neither Windows, administrators nor the agent`;
  if (entries === undefined) return 'can be changed by everybody: it has no access list';
  const rights =
    (harms.includes('content') ? contentRights : 0) | (harms.includes('place') ? placeRights : 0);
  const wrong = entries.find(
    ({ allows, sid, mask, inheritOnly }) =>
      allows &&
      !inheritOnly &&
      (mask & rights) !== 0 &&
      !isTrusted(sid) &&
      !standsForOwner.includes(sid),
  );
  return wrong === undefined
    ? undefined
    : `can be changed by ${wrong.sid} (rights 0x${(wrong.mask >>> 0).toString(16)})`;
}
