/**
 * What a process has to do to be a service of Windows: answer to the service control manager
 * (learn.microsoft.com, "Service Programs").
 *
 * StartServiceCtrlDispatcherW does not return while the service lives. It has a thread of its own here,
 * and not a JavaScript one: its single argument and its result are those of a thread's function.
 */
import { ArError } from '../../errors.ts';
import { withFfi } from '../ffi.ts';
import { allocatePage, makeCallable } from './memory.ts';
import { library, once, type Pointer } from './native.ts';
import { controlHandler, serviceMain } from './service-stubs.ts';

export type ServiceState = 'starting' | 'running' | 'stopping' | 'stopped';
/** `reload`: somebody said that the configuration has changed (`sc control ar-exec paramchange`). */
export type ServiceControlCode = 'stop' | 'reload';

export interface ServiceControl {
  /** `exitCode` is of a service that ended by itself; 0 without. */
  tell(state: ServiceState, exitCode?: number): void;
}

const states = { stopped: 1, starting: 2, stopping: 3, running: 4 } as const;
const controls: ReadonlyMap<number, ServiceControlCode> = new Map([
  [1, 'stop'],
  [5, 'stop'], // the machine shuts down
  [6, 'reload'],
  [15, 'stop'], // the machine is about to shut down; comes first, and gives more time
]);
/** SERVICE_ACCEPT_STOP, PARAMCHANGE, PRESHUTDOWN. */
const accepted = 0x01 | 0x08 | 0x100;
const ownProcess = 0x10;
/** ERROR_SERVICE_SPECIFIC_ERROR: the other number says why. */
const serviceSpecific = 1_066;
/** STILL_ACTIVE */
const lives = 259;
/** How long until it must be told more, or is taken for hanging. */
const hintMs = 30_000;
const lookEveryMs = 100;
/** What the service control manager itself waits for a process to answer. */
const answerWithinMs = 30_000;

/** Where things are in the page that is shared. */
const place = { controls: 0, handle: 64, name: 128, table: 1_024 } as const;
const handlerAt = 0;
const mainAt = 64;

const advapi = once(() =>
  withFfi((ffi) => {
    const { lib, functions } = ffi.dlopen(library('advapi32.dll'), {
      SetServiceStatus: { arguments: ['pointer', 'buffer'], return: 'int32' },
    });
    return {
      functions,
      startDispatcher: lib.getSymbol('StartServiceCtrlDispatcherW'),
      registerHandler: lib.getSymbol('RegisterServiceCtrlHandlerExW'),
    };
  }),
);

const kernel = once(() =>
  withFfi(
    (ffi) =>
      ffi.dlopen(library('kernel32.dll'), {
        CreateThread: {
          arguments: ['pointer', 'uint64', 'pointer', 'pointer', 'uint32', 'pointer'],
          return: 'pointer',
        },
        GetExitCodeThread: { arguments: ['pointer', 'buffer'], return: 'int32' },
      }).functions,
  ),
);

/** Resolves when the service control manager has started this process; `onControl` is told what it wants. */
export async function connectToServiceControl(
  name: string,
  onControl: (code: ServiceControlCode) => void,
): Promise<ServiceControl> {
  const { functions, startDispatcher, registerHandler } = advapi();
  const page = allocatePage();
  const code = allocatePage();
  page.bytes.write(`${name}\0`, place.name, 'utf16le');
  controlHandler.copy(code.bytes, handlerAt);
  const addresses = {
    name: page.address + BigInt(place.name),
    controls: page.address + BigInt(place.controls),
    handle: page.address + BigInt(place.handle),
    registerServiceCtrlHandlerExW: registerHandler,
    handler: code.address + BigInt(handlerAt),
  };
  serviceMain(addresses).copy(code.bytes, mainAt);
  makeCallable(code);
  // SERVICE_TABLE_ENTRYW: name and function, and an empty one at the end.
  page.bytes.writeBigUInt64LE(addresses.name, place.table);
  page.bytes.writeBigUInt64LE(code.address + BigInt(mainAt), place.table + 8);
  const dispatcher = startThread(startDispatcher, page.address + BigInt(place.table));
  const handle = await waitForHandle(page.bytes, dispatcher);
  const noted = new Int32Array(page.bytes.buffer, page.bytes.byteOffset + place.controls, 8);
  setInterval(() => {
    const bits = Atomics.exchange(noted, 0, 0);
    const wanted = [...controls].filter(([number]) => (bits & (1 << number)) !== 0);
    for (const one of new Set(wanted.map(([, meaning]) => meaning))) onControl(one);
  }, lookEveryMs).unref();
  let checkpoint = 0;
  return {
    tell: (state, exitCode = 0) => {
      const pending = state === 'starting' || state === 'stopping';
      checkpoint = pending ? checkpoint + 1 : 0;
      const status = { state, exitCode, checkpoint, pending };
      if (functions.SetServiceStatus(handle, statusBytes(status)) !== 0) return;
      throw failed('the service control manager does not take the state of the service');
    },
  };
}

/** SERVICE_STATUS, seven DWORDs. */
function statusBytes(status: {
  readonly state: ServiceState;
  readonly exitCode: number;
  readonly checkpoint: number;
  readonly pending: boolean;
}): Buffer {
  const { state, exitCode, checkpoint, pending } = status;
  return Buffer.from(
    Uint32Array.of(
      ownProcess,
      states[state],
      state === 'running' ? accepted : 0,
      exitCode === 0 ? 0 : serviceSpecific,
      exitCode,
      checkpoint,
      pending ? hintMs : 0,
    ).buffer,
  );
}

interface Thread {
  isOver(): boolean;
}

function startThread(function_: Pointer, argument: Pointer): Thread {
  const thread = kernel().CreateThread(0n, 0n, function_, argument, 0, 0n);
  if (thread === 0n) throw failed('Windows gave no thread for its service control');
  return {
    isOver: () => {
      const code = Buffer.alloc(4);
      return kernel().GetExitCodeThread(thread, code) !== 0 && code.readUInt32LE() !== lives;
    },
  };
}

/** The handle is noted by `serviceMain`, a moment after the dispatcher has begun. */
async function waitForHandle(page: Buffer, dispatcher: Thread): Promise<bigint> {
  const end = performance.now() + answerWithinMs;
  while (performance.now() < end) {
    const handle = page.readBigUInt64LE(place.handle);
    if (handle !== 0n) return handle;
    if (dispatcher.isOver()) break;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new ArError(
    'usage-invalid',
    'the service control manager of Windows did not start this',
    'Start the service: net start ar-exec. Without it: ar-exec run.',
  );
}

function failed(what: string): ArError {
  return new ArError('service-failed', what, 'Start the service again: net start ar-exec.');
}
