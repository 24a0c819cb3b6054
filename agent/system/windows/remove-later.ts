import { withFfi } from '../ffi.ts';
import { library, once, wide } from './native.ts';

const delayUntilReboot = 0x04;

const calls = once(() =>
  withFfi(
    (ffi) =>
      ffi.dlopen(library('kernel32.dll'), {
        MoveFileExW: { arguments: ['buffer', 'pointer', 'uint32'], return: 'int32' },
      }).functions,
  ),
);

/** Has Windows delete a file when the machine starts next: a program that runs cannot be deleted. */
export function removeAtRestart(path: string): void {
  if (calls().MoveFileExW(wide(path), 0n, delayUntilReboot) === 0) {
    throw new Error(`Windows does not take it that ${path} is to be deleted`);
  }
}
