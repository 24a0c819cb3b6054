import { openDll } from './dll.ts';

const currentProcess = -1n;
const tokenQuery = 0x08;
/** TokenElevation, of TOKEN_INFORMATION_CLASS. */
const tokenElevation = 20;

/** Whether this process has the rights of an administrator, and not only his account. */
export function isElevated(): boolean {
  const { functions } = openDll('advapi32.dll', {
    OpenProcessToken: { arguments: ['pointer', 'uint32', 'buffer'], return: 'int32' },
    GetTokenInformation: {
      arguments: ['pointer', 'int32', 'buffer', 'uint32', 'buffer'],
      return: 'int32',
    },
  });
  const { functions: kernel } = openDll('kernel32.dll', {
    CloseHandle: { arguments: ['pointer'], return: 'int32' },
  });
  const handle = Buffer.alloc(8);
  if (functions.OpenProcessToken(BigInt.asUintN(64, currentProcess), tokenQuery, handle) === 0) {
    return false;
  }
  const token = handle.readBigUInt64LE();
  const elevated = Buffer.alloc(4);
  const told = functions.GetTokenInformation(token, tokenElevation, elevated, 4, Buffer.alloc(4));
  kernel.CloseHandle(token);
  return told !== 0 && elevated.readUInt32LE() !== 0;
}
