/** Memory that Windows reads and writes while JavaScript does something else. It is never given back. */
import { ArError } from '../../errors.ts';
import { withFfi } from '../ffi.ts';
import { library, memory, once } from './native.ts';

export interface Memory {
  readonly address: bigint;
  readonly bytes: Buffer;
}

const commitAndReserve = 0x3000;
const readWrite = 0x04;
const readExecute = 0x20;
const pageBytes = 4_096;

const calls = once(() =>
  withFfi(
    (ffi) =>
      ffi.dlopen(library('kernel32.dll'), {
        VirtualAlloc: { arguments: ['pointer', 'uint64', 'uint32', 'uint32'], return: 'pointer' },
        VirtualProtect: { arguments: ['pointer', 'uint64', 'uint32', 'buffer'], return: 'int32' },
      }).functions,
  ),
);

/** A page, filled with zeros. */
export function allocatePage(): Memory {
  const address = calls().VirtualAlloc(0n, BigInt(pageBytes), commitAndReserve, readWrite);
  if (address === 0n) throw noMemory();
  return { address, bytes: memory().toBuffer(address, pageBytes, false) };
}

/** From now on what is there can be called, and no longer be changed. */
export function makeCallable({ address }: Memory): void {
  const before = Buffer.alloc(4);
  if (calls().VirtualProtect(address, BigInt(pageBytes), readExecute, before) === 0) {
    throw noMemory();
  }
}

function noMemory(): ArError {
  return new ArError(
    'service-failed',
    'Windows gave no memory for its service control',
    'Free memory, or look whether something on this machine forbids programs to do so.',
  );
}
