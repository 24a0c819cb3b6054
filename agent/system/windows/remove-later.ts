import { openDll } from './dll.ts';

const delayUntilReboot = 0x04;

/** Has Windows delete a file when the machine starts next: a program that runs cannot be deleted. */
export function removeAtRestart(path: string): void {
  const { functions } = openDll('kernel32.dll', {
    MoveFileExW: { arguments: ['buffer', 'pointer', 'uint32'], return: 'int32' },
  });
  const wide = Buffer.from(`${path}\0`, 'utf16le');
  if (functions.MoveFileExW(wide, 0n, delayUntilReboot) === 0) {
    throw new Error(`Windows does not take it that ${path} is to be deleted`);
  }
}
