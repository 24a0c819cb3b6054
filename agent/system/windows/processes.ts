/** The processes of Windows. One that is held by its handle stays the same, and its number stays its own. */
import type { StepResult } from '../../../platform/step.ts';
import { withFfi } from '../ffi.ts';
import {
  addressOf,
  checkStatus,
  library,
  NativeFailure,
  once,
  type Pointer,
  room,
  status,
} from './native.ts';
import { sidOfProcess, usePrivileges } from './tokens.ts';

/** What stands of a process in the list of all. */
export interface ListedProcess {
  readonly pid: number;
  /** Who started it; that one may have ended, and its number be another's by now. */
  readonly parent: number;
  /** When it started, in 100 ns since 1601. */
  readonly started: bigint;
}

export interface ProcessHandle {
  readonly pid: number;
  readonly started: bigint;
  /** In milliseconds since 1970. */
  readonly startedAt: number;
  /** Its program, with the drive; empty for what has none. */
  readonly image: string;
  /** Windows stops when it ends. */
  readonly isCritical: boolean;
  /** False: we may only look at it. */
  readonly mayEnd: boolean;
  /** The SID of whose it is. Throws where that is not told. */
  owner(): string;
  hasEnded(): boolean;
  /** Throws where Windows does not let it be ended. */
  end(): void;
  close(): void;
}

const rights = { terminate: 0x1, queryLimited: 0x1000, synchronize: 0x10_0000 } as const;
/** Of PROCESSINFOCLASS; 43 is the name as Win32 has it. */
const info = { times: 4, critical: 29, image: 43 } as const;
const allProcesses = 5;
/** STATUS_INVALID_CID: nobody has this number. */
const nobody = 0xc000_000b;
const waitedOut = 0x102;
/** What a process that we end says of its end: what taskkill /F has it say. */
const endStatus = 1;
const epochMs = 11_644_473_600_000n;

const calls = once(() =>
  withFfi(
    (ffi) =>
      ffi.dlopen(library('ntdll.dll'), {
        NtOpenProcess: { arguments: ['buffer', 'uint32', 'buffer', 'buffer'], return: 'int32' },
        NtQueryInformationProcess: {
          arguments: ['pointer', 'int32', 'buffer', 'uint32', 'buffer'],
          return: 'int32',
        },
        NtQuerySystemInformation: {
          arguments: ['int32', 'buffer', 'uint32', 'buffer'],
          return: 'int32',
        },
        NtTerminateProcess: { arguments: ['pointer', 'int32'], return: 'int32' },
        NtWaitForSingleObject: { arguments: ['pointer', 'uint8', 'buffer'], return: 'int32' },
        NtClose: { arguments: ['pointer'], return: 'int32' },
      }).functions,
  ),
);

/** Whether all of this can be asked here: of this very process. Throws where it cannot. */
export function tryNativeCalls(): StepResult {
  openProcess(process.pid)?.close();
  return { stdout: '', stderr: '' };
}

/** Undefined: there is no such process. */
export function openProcess(pid: number): ProcessHandle | undefined {
  usePrivileges();
  const looking = rights.queryLimited | rights.synchronize;
  const full = openWith(pid, looking | rights.terminate);
  const handle = full === 'denied' ? openWith(pid, looking) : full;
  if (handle === undefined) return undefined;
  if (handle === 'denied') throw new NativeFailure('NtOpenProcess', status.accessDenied);
  try {
    return handleOf(pid, handle, full !== 'denied');
  } catch (error) {
    calls().NtClose(handle);
    throw error;
  }
}

function openWith(pid: number, access: number): Pointer | 'denied' | undefined {
  const [opened, attributes, client] = [room(), room(48), room(16)];
  attributes.writeUInt32LE(attributes.length);
  client.writeBigUInt64LE(BigInt(pid));
  const answer = calls().NtOpenProcess(opened, access, attributes, client);
  if (answer >>> 0 === nobody || answer >>> 0 === status.invalidParameter) return undefined;
  if (answer >>> 0 === status.accessDenied) return 'denied';
  checkStatus('NtOpenProcess', answer);
  return opened.readBigUInt64LE();
}

function handleOf(pid: number, handle: Pointer, mayEnd: boolean): ProcessHandle {
  const started = query(handle, info.times, 32).readBigInt64LE();
  return {
    pid,
    started,
    startedAt: Number(started / 10_000n - epochMs),
    image: imageOf(handle),
    isCritical: isCritical(handle),
    mayEnd,
    owner: () => sidOfProcess(handle),
    hasEnded: () => hasEnded(handle),
    end: () => {
      const answer = calls().NtTerminateProcess(handle, endStatus);
      if (answer >>> 0 !== status.ended) checkStatus('NtTerminateProcess', answer);
    },
    close: () => {
      calls().NtClose(handle);
    },
  };
}

/** What has no such mark (Wine) has no such processes. */
function isCritical(handle: Pointer): boolean {
  try {
    return query(handle, info.critical, 4).readUInt32LE() !== 0;
  } catch (error) {
    if (error instanceof NativeFailure && error.code === status.noSuchClass) return false;
    throw error;
  }
}

function query(handle: Pointer, what: number, bytes: number): Buffer {
  const found = room(bytes);
  const answer = calls().NtQueryInformationProcess(handle, what, found, bytes, room(4));
  checkStatus('NtQueryInformationProcess', answer);
  return found;
}

/** A UNICODE_STRING with what it points to behind it. */
function imageOf(handle: Pointer): string {
  try {
    return readImage(handle);
  } catch (error) {
    // Of one that has ended there is none any more.
    if (error instanceof NativeFailure && hasEnded(handle)) return '';
    throw error;
  }
}

function readImage(handle: Pointer): string {
  const found = query(handle, info.image, 16 + 65_536);
  const length = found.readUInt16LE();
  const start = Number(found.readBigUInt64LE(8) - addressOf(found));
  return length === 0 ? '' : found.toString('utf16le', start, start + length);
}

/** Does not wait. */
function hasEnded(handle: Pointer): boolean {
  const answer = calls().NtWaitForSingleObject(handle, 0, room());
  if (answer === waitedOut) return false;
  checkStatus('NtWaitForSingleObject', answer);
  return true;
}

export function listProcesses(): ListedProcess[] {
  for (let bytes = 512 * 1_024; ; bytes *= 2) {
    const found = room(bytes);
    const answer = calls().NtQuerySystemInformation(allProcesses, found, bytes, room(4));
    if (answer >>> 0 === status.lengthMismatch) continue;
    checkStatus('NtQuerySystemInformation', answer);
    return parseProcesses(found);
  }
}

/** A chain of SYSTEM_PROCESS_INFORMATION, as 64-bit Windows has it. */
function parseProcesses(bytes: Buffer): ListedProcess[] {
  const found: ListedProcess[] = [];
  for (let at = 0; ; ) {
    found.push({
      pid: Number(bytes.readBigUInt64LE(at + 80)),
      parent: Number(bytes.readBigUInt64LE(at + 88)),
      started: bytes.readBigInt64LE(at + 32),
    });
    const next = bytes.readUInt32LE(at);
    if (next === 0) return found;
    at += next;
  }
}
