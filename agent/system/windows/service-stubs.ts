/**
 * The two functions that the service control manager calls in a service, as machine code of x64.
 *
 * It calls them on threads of its own, where no JavaScript can run: a callback of node:ffi ends the process
 * there. So they do nothing but leave a note in memory, which the agent reads a moment later.
 */

/** What there is to fill in: addresses in this process. */
export interface Addresses {
  /** Of the service's name, in UTF-16 with its end. */
  readonly name: bigint;
  /** Of 32 bytes, a bit for every control from 0 to 255. */
  readonly controls: bigint;
  /** Of 8 bytes, for the handle by which the service tells its state. */
  readonly handle: bigint;
  readonly registerServiceCtrlHandlerExW: bigint;
  /** Where `controlHandler` will be. */
  readonly handler: bigint;
}

/** DWORD HandlerEx(DWORD control, DWORD eventType, LPVOID eventData, LPVOID context). */
export const controlHandler = Buffer.from([
  ...[0xf0, 0x41, 0x0f, 0xab, 0x09], // lock bts dword ptr [r9], ecx   ; the bit of this control, in context
  ...[0x31, 0xc0], //                   xor  eax, eax                  ; NO_ERROR
  0xc3, //                              ret
]);

/** VOID ServiceMain(DWORD argc, LPWSTR *argv): registers the handler, notes its answer, and is done. */
export function serviceMain(at: Addresses): Buffer {
  return Buffer.from([
    ...[0x48, 0x83, 0xec, 0x28], //                       sub  rsp, 40  ; shadow space, aligned
    ...[0x48, 0xb9, ...address(at.name)], //              mov  rcx, name
    ...[0x48, 0xba, ...address(at.handler)], //           mov  rdx, handler
    ...[0x49, 0xb8, ...address(at.controls)], //          mov  r8, controls
    ...[0x48, 0xb8, ...address(at.registerServiceCtrlHandlerExW)], // mov rax, …
    ...[0xff, 0xd0], //                                   call rax
    ...[0x48, 0xb9, ...address(at.handle)], //            mov  rcx, handle
    ...[0x48, 0x89, 0x01], //                             mov  [rcx], rax
    ...[0x48, 0x83, 0xc4, 0x28], //                       add  rsp, 40
    0xc3, //                                              ret
  ]);
}

function address(value: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(value);
  return bytes;
}
