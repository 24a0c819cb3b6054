import { memoryAt, openDll } from './dll.ts';

/** SE_FILE_OBJECT, OWNER_SECURITY_INFORMATION */
const fileObject = 1;
const ownerInformation = 0x01;
const longestSid = 512;

/** To whom a file or a folder belongs, as a number of Windows (`S-1-5-18`); undefined if nobody tells. */
export function ownerOf(path: string): string | undefined {
  const { functions } = openDll('advapi32.dll', {
    GetNamedSecurityInfoW: {
      arguments: ['buffer', 'int32', 'uint32', 'buffer', 'pointer', 'pointer', 'pointer', 'buffer'],
      return: 'uint32',
    },
    ConvertSidToStringSidW: { arguments: ['pointer', 'buffer'], return: 'int32' },
  });
  const { functions: kernel } = openDll('kernel32.dll', {
    LocalFree: { arguments: ['pointer'], return: 'pointer' },
  });
  const name = Buffer.from(`${path}\0`, 'utf16le');
  const sid = Buffer.alloc(8);
  const descriptor = Buffer.alloc(8);
  const asked = [name, fileObject, ownerInformation, sid, 0n, 0n, 0n, descriptor] as const;
  if (functions.GetNamedSecurityInfoW(...asked) !== 0) return undefined;
  const text = Buffer.alloc(8);
  const told = functions.ConvertSidToStringSidW(sid.readBigUInt64LE(), text) !== 0;
  kernel.LocalFree(descriptor.readBigUInt64LE());
  if (!told) return undefined;
  const address = text.readBigUInt64LE();
  const wide = memoryAt(address, longestSid).toString('utf16le');
  kernel.LocalFree(address);
  return wide.slice(0, wide.indexOf('\0'));
}
