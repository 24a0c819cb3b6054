import { withFfi } from '../ffi.ts';
import { library, once, room, sidText, wide } from './native.ts';

/** SE_FILE_OBJECT, OWNER_SECURITY_INFORMATION */
const fileObject = 1;
const ownerInformation = 0x01;

const calls = once(() =>
  withFfi((ffi) => {
    const { functions } = ffi.dlopen(library('advapi32.dll'), {
      GetNamedSecurityInfoW: {
        arguments: [
          'buffer',
          'int32',
          'uint32',
          'buffer',
          'pointer',
          'pointer',
          'pointer',
          'buffer',
        ],
        return: 'uint32',
      },
    });
    const kernel = ffi.dlopen(library('kernel32.dll'), {
      LocalFree: { arguments: ['pointer'], return: 'pointer' },
    });
    return { ...functions, ...kernel.functions };
  }),
);

/** To whom a file or a folder belongs, as a number of Windows (`S-1-5-18`); undefined if nobody tells. */
export function ownerOf(path: string): string | undefined {
  const { GetNamedSecurityInfoW, LocalFree } = calls();
  const sid = room();
  const descriptor = room();
  const asked = [wide(path), fileObject, ownerInformation, sid, 0n, 0n, 0n, descriptor] as const;
  if (GetNamedSecurityInfoW(...asked) !== 0) return undefined;
  const text = sidText(sid.readBigUInt64LE());
  LocalFree(descriptor.readBigUInt64LE());
  return text;
}
