/**
 * The local accounts of Windows, by the calls for them: what `net user` prints is in the language of the
 * machine, and tells neither numbers nor flags.
 */
import { withFfi } from '../ffi.ts';
import { library, memory, NativeFailure, once, readWide, room, sidText, wide } from './native.ts';
import { ownSid } from './tokens.ts';

/** An account as Windows has it. */
export interface LocalAccount {
  readonly name: string;
  /** The last part of its SID. */
  readonly rid: number;
  readonly isDisabled: boolean;
}

export interface LocalAccounts {
  /** The SID of this machine; those of its accounts begin with it. */
  readonly machine: string;
  /** The SID that the agent runs as. */
  readonly agent: string;
  readonly accounts: readonly LocalAccount[];
}

export interface Group {
  readonly name: string;
  readonly sid: string | undefined;
}

/** FILTER_NORMAL_ACCOUNT: people and services; not machines, nor trusts. */
const normalAccounts = 2;
/** USER_INFO_20: name, full name, comment, flags, number. */
const level = 20;
const entryBytes = 32;
/** UF_ACCOUNTDISABLE (lmaccess.h). */
const disabledFlag = 2;
const moreData = 234;
const noPrefix = 0xffff_ffff;
/** LG_INCLUDE_INDIRECT: also by a group that it is in. */
const indirect = 1;
/** NtProductLanManNt: a domain controller. */
const controller = 2;

const calls = once(() =>
  withFfi((ffi) => ({
    ...ffi.dlopen(library('netapi32.dll'), {
      NetUserEnum: {
        arguments: [
          'pointer',
          'uint32',
          'uint32',
          'buffer',
          'uint32',
          'buffer',
          'buffer',
          'buffer',
        ],
        return: 'uint32',
      },
      NetUserModalsGet: { arguments: ['pointer', 'uint32', 'buffer'], return: 'uint32' },
      NetUserGetLocalGroups: {
        arguments: [
          'pointer',
          'buffer',
          'uint32',
          'uint32',
          'buffer',
          'uint32',
          'buffer',
          'buffer',
        ],
        return: 'uint32',
      },
      NetApiBufferFree: { arguments: ['pointer'], return: 'uint32' },
    }).functions,
    ...ffi.dlopen(library('advapi32.dll'), {
      LookupAccountNameW: {
        arguments: ['pointer', 'buffer', 'buffer', 'buffer', 'buffer', 'buffer', 'buffer'],
        return: 'int32',
      },
    }).functions,
    ...ffi.dlopen(library('ntdll.dll'), {
      RtlGetNtProductType: { arguments: ['buffer'], return: 'uint8' },
    }).functions,
  })),
);

/** Throws where there are none of this machine's own: a domain controller has those of its domain. */
export function readLocalAccounts(): LocalAccounts {
  if (isController()) throw new Error('a domain controller has no accounts of its own');
  return { machine: machineSid(), agent: ownSid(), accounts: listAccounts() };
}

function isController(): boolean {
  const type = room(4);
  return calls().RtlGetNtProductType(type) !== 0 && type.readUInt32LE() === controller;
}

function machineSid(): string {
  const { getUint64 } = memory();
  // USER_MODALS_INFO_2: the name of the domain, and its SID.
  return answered(
    'NetUserModalsGet',
    (into) => calls().NetUserModalsGet(null, 2, into),
    (at) => sidText(getUint64(at, 8)),
  );
}

function listAccounts(): LocalAccount[] {
  const { getUint32, getUint64 } = memory();
  const found: LocalAccount[] = [];
  const resume = room(4);
  for (;;) {
    const [into, count, total] = [room(), room(4), room(4)];
    const answer = calls().NetUserEnum(
      null,
      level,
      normalAccounts,
      into,
      noPrefix,
      count,
      total,
      resume,
    );
    const at = into.readBigUInt64LE();
    try {
      if (answer !== 0 && answer !== moreData) throw new NativeFailure('NetUserEnum', answer);
      for (let index = 0; index < count.readUInt32LE(); index += 1) {
        const entry = at + BigInt(index * entryBytes);
        found.push({
          name: readWide(getUint64(entry, 0)),
          rid: getUint32(entry, 28),
          isDisabled: (getUint32(entry, 24) & disabledFlag) !== 0,
        });
      }
    } finally {
      if (at !== 0n) calls().NetApiBufferFree(at);
    }
    if (answer === 0) return found;
  }
}

/** The groups of this machine that an account is in. */
export function readGroups(account: string): Group[] {
  const { getUint64 } = memory();
  const count = room(4);
  const name = wide(account);
  const names = answered(
    'NetUserGetLocalGroups',
    (into) =>
      calls().NetUserGetLocalGroups(null, name, 0, indirect, into, noPrefix, count, room(4)),
    (at) =>
      Array.from({ length: count.readUInt32LE() }, (_, index) =>
        readWide(getUint64(at, index * 8)),
      ),
  );
  return names.map((one) => ({ name: one, sid: sidOf(one) }));
}

function sidOf(name: string): string | undefined {
  const [sid, sidBytes] = [room(68), room(4)];
  const [domain, domainLength] = [room(1_024), room(4)];
  sidBytes.writeUInt32LE(sid.length);
  domainLength.writeUInt32LE(domain.length / 2);
  const found = calls().LookupAccountNameW(
    null,
    wide(name),
    sid,
    sidBytes,
    domain,
    domainLength,
    room(4),
  );
  return found === 0 ? undefined : sidText(memory().getRawPointer(sid));
}

/** Calls what gives back memory of its own, reads it, and frees it. */
function answered<Value>(
  call: string,
  ask: (into: Buffer) => number,
  read: (at: bigint) => Value,
): Value {
  const into = room();
  const answer = ask(into);
  const at = into.readBigUInt64LE();
  try {
    if (answer !== 0) throw new NativeFailure(call, answer);
    return read(at);
  } finally {
    if (at !== 0n) calls().NetApiBufferFree(at);
  }
}
