import { withFfi } from '../ffi.ts';
import { library, once, room } from './native.ts';

const self = 0xffff_ffff_ffff_ffffn;
const query = 0x08;
/** TokenElevation of TOKEN_INFORMATION_CLASS. */
const tokenElevation = 20;

const calls = once(() =>
  withFfi(
    (ffi) =>
      ffi.dlopen(library('ntdll.dll'), {
        NtOpenProcessToken: { arguments: ['pointer', 'uint32', 'buffer'], return: 'int32' },
        NtQueryInformationToken: {
          arguments: ['pointer', 'int32', 'buffer', 'uint32', 'buffer'],
          return: 'int32',
        },
        NtClose: { arguments: ['pointer'], return: 'int32' },
      }).functions,
  ),
);

/** Whether this process has the rights of an administrator, and not only his account. */
export function isElevated(): boolean {
  const { NtOpenProcessToken, NtQueryInformationToken, NtClose } = calls();
  const opened = room();
  if (NtOpenProcessToken(self, query, opened) < 0) return false;
  const token = opened.readBigUInt64LE();
  const elevated = room(4);
  const answer = NtQueryInformationToken(token, tokenElevation, elevated, 4, room(4));
  NtClose(token);
  return answer >= 0 && elevated.readUInt32LE() !== 0;
}
