/** Memory that Windows reads and writes while JavaScript does something else. It is never given back. */
import { ArError } from '../../errors.ts';
import { memoryAt, openDll } from './dll.ts';

export interface Memory {
  readonly address: bigint;
  readonly bytes: Buffer;
}

const commitAndReserve = 0x3000;
const readWrite = 0x04;
const readExecute = 0x20;
const pageBytes = 4_096;

const kernel = () =>
  openDll('kernel32.dll', {
    VirtualAlloc: { arguments: ['pointer', 'uint64', 'uint32', 'uint32'], return: 'pointer' },
    VirtualProtect: { arguments: ['pointer', 'uint64', 'uint32', 'buffer'], return: 'int32' },
  });

/** A page, filled with zeros. */
export function allocatePage(): Memory {
  const { functions } = kernel();
  const address = functions.VirtualAlloc(0n, BigInt(pageBytes), commitAndReserve, readWrite);
  if (address === 0n) throw noMemory();
  return { address, bytes: memoryAt(address, pageBytes) };
}

/** From now on what is there can be called, and no longer be changed. */
export function makeCallable({ address }: Memory): void {
  const { functions } = kernel();
  const before = Buffer.alloc(4);
  if (functions.VirtualProtect(address, BigInt(pageBytes), readExecute, before) === 0) {
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
