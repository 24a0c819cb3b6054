/** Whose a process is: the security identifier of its token. */
import { withFfi } from '../ffi.ts';
import { checkStatus, library, memory, once, type Pointer, room, sidText } from './native.ts';

const query = 0x8;
/** TokenUser of TOKEN_INFORMATION_CLASS. */
const tokenUser = 1;
/** What stands for the process that asks. */
const self = 0xffff_ffff_ffff_ffffn;

const calls = once(() =>
  withFfi(
    (ffi) =>
      ffi.dlopen(library('ntdll.dll'), {
        NtOpenProcessToken: { arguments: ['pointer', 'uint32', 'buffer'], return: 'int32' },
        NtQueryInformationToken: {
          arguments: ['pointer', 'int32', 'buffer', 'uint32', 'buffer'],
          return: 'int32',
        },
        RtlAdjustPrivilege: {
          arguments: ['uint32', 'uint8', 'uint8', 'buffer'],
          return: 'int32',
        },
        NtClose: { arguments: ['pointer'], return: 'int32' },
      }).functions,
  ),
);

/**
 * SeBackup, SeRestore and SeDebug: an administrator has them and does not use them unasked. With them, a
 * file or a process is reached whatever its own access list says. Who has none goes on without.
 */
const privileges = [17, 18, 20];

export const usePrivileges = once(() => {
  for (const one of privileges) calls().RtlAdjustPrivilege(one, 1, 0, room(1));
});

export const ownSid = (): string => sidOfProcess(self);

/** `handle`: of a process, with the right to query it. */
export function sidOfProcess(handle: Pointer): string {
  const token = room();
  const { NtOpenProcessToken, NtQueryInformationToken, NtClose } = calls();
  checkStatus('NtOpenProcessToken', NtOpenProcessToken(handle, query, token));
  const opened = token.readBigUInt64LE();
  try {
    const found = room(256);
    checkStatus(
      'NtQueryInformationToken',
      NtQueryInformationToken(opened, tokenUser, found, found.length, room(4)),
    );
    return sidText(memory().getUint64(memory().getRawPointer(found), 0));
  } finally {
    NtClose(opened);
  }
}
