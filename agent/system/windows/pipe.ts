/**
 * Whose a pipe is. Every account may make one of any name that is free, and so pass for the agent where
 * none runs.
 */
import { withFfi } from '../ffi.ts';
import { readAccessOf, systemSid, whyUntrusted } from './acl.ts';
import {
  addressOf,
  checkStatus,
  library,
  objectNamed,
  once,
  type Pointer,
  room,
  status,
} from './native.ts';

/** A pipe that is held, or why there is nobody to talk to: `code` is the system's own. */
export type HeldPipe =
  | { readonly release: () => void }
  | { readonly code: 'ENOENT' | 'EACCES' | 'EBUSY' }
  | { readonly untrusted: string };

/** SYNCHRONIZE, READ_CONTROL and FILE_READ_ATTRIBUTES. */
const looking = 0x10_0000 | 0x2_0000 | 0x80;
const sharing = 0x3;
/** FILE_SYNCHRONOUS_IO_NONALERT. */
const options = 0x20;
/** A server makes room for the next one in a moment. */
const busy: readonly number[] = [status.pipeBusy, status.pipeInstance, status.pipeGone];
const busyMs = 50;
const patienceMs = 5_000;

const calls = once(() =>
  withFfi(
    (ffi) =>
      ffi.dlopen(library('ntdll.dll'), {
        NtOpenFile: {
          arguments: ['buffer', 'uint32', 'buffer', 'buffer', 'uint32', 'uint32'],
          return: 'int32',
        },
        NtClose: { arguments: ['pointer'], return: 'int32' },
      }).functions,
  ),
);

/**
 * Holds the pipe of this name if it belongs to Windows or its administrators, and nobody else may listen on
 * it. As long as it is held it stays the same pipe, even if who made it is gone: what connects meanwhile is
 * connected to it.
 */
export async function holdPipe(name: string): Promise<HeldPipe> {
  for (const until = performance.now() + patienceMs; ; ) {
    const answer = openPipe(name);
    if (typeof answer === 'bigint') return judge(answer);
    if (answer === status.accessDenied) return { code: 'EACCES' };
    if (!busy.includes(answer)) {
      if (answer !== status.nameNotFound) checkStatus('NtOpenFile', answer | 0);
      return { code: 'ENOENT' };
    }
    if (performance.now() > until) return { code: 'EBUSY' };
    await new Promise((resolve) => setTimeout(resolve, busyMs));
  }
}

function judge(handle: Pointer): HeldPipe {
  const release = (): void => {
    calls().NtClose(handle);
  };
  try {
    // An account of our own is not enough: a program of it may have fewer rights than we have.
    const untrusted = whyUntrusted(readAccessOf(handle), ['content', 'place'], systemSid);
    if (untrusted === undefined) return { release };
    release();
    return { untrusted };
  } catch (error) {
    release();
    throw error;
  }
}

/** The handle, or the status that there is none. Who listens does not learn who we are. */
function openPipe(name: string): Pointer | number {
  const [opened, ioStatus] = [room(), room(16)];
  const { attributes, pointedTo } = objectNamed(`pipe\\${name}`);
  // SECURITY_QUALITY_OF_SERVICE, with SecurityAnonymous: nobody acts in our name.
  const quality = room(12);
  quality.writeUInt32LE(quality.length);
  attributes.writeBigUInt64LE(addressOf(quality), 40);
  const answer = calls().NtOpenFile(opened, looking, attributes, ioStatus, sharing, options);
  void [pointedTo, quality];
  return answer < 0 ? answer >>> 0 : opened.readBigUInt64LE();
}
