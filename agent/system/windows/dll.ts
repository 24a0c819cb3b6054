/**
 * Windows' own libraries, called in this process: what Node has no function for
 * (docs/decisions/0019-windows-service.md). They are among the few that Windows itself loads by name from
 * its own folder only ("known DLLs"), so nobody can put another one in their place.
 */
import { ArError } from '../../errors.ts';

type Ffi = typeof import('node:ffi');
type Definitions = Parameters<Ffi['dlopen']>[1] & object;

export interface Dll<T extends Definitions> {
  readonly functions: ReturnType<typeof dlopenOf<T>>['functions'];
  /** Where a function of it is, for others that call it. */
  addressOf(name: string): bigint;
}

/** Only for the type of what it returns. */
declare function dlopenOf<const T extends Definitions>(
  path: string,
  definitions: T,
): import('node:ffi').DynamicLibraryResult<T>;

/** Throws `service-failed` where this Node, or this system, does not have it. */
export function openDll<const T extends Definitions>(
  name: 'advapi32.dll' | 'kernel32.dll',
  definitions: T,
): Dll<T> {
  const ffi = load();
  try {
    const { lib, functions } = ffi.dlopen(name, definitions);
    return { functions, addressOf: (one) => lib.getSymbol(one) } as Dll<T>;
  } catch (cause) {
    throw unusable(cause);
  }
}

/** Memory at an address, as it is: what is written there, others read. */
export function memoryAt(address: bigint, bytes: number): Buffer {
  return load().toBuffer(address, bytes, false);
}

/** The module says of itself that it is experimental, which nobody who runs the agent has to know. */
function load(): Ffi {
  const { emitWarning } = process;
  process.emitWarning = () => {};
  try {
    const ffi: Ffi | undefined = process.getBuiltinModule('node:ffi');
    if (ffi === undefined) throw new Error('this Node calls no native code (node:ffi)');
    return ffi;
  } catch (cause) {
    throw unusable(cause);
  } finally {
    process.emitWarning = emitWarning;
  }
}

function unusable(cause: unknown): ArError {
  return new ArError(
    'service-failed',
    `Windows cannot be asked: ${cause instanceof Error ? cause.message : cause}`,
    'Use ar-exec.exe, which carries a Node that can.',
    { cause },
  );
}
