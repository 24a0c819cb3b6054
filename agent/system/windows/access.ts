/** Access lists that the agent itself sets: of its folder and of its pipe. What is there already, acl.ts reads. */
import { win32 } from 'node:path';
import { withFfi } from '../ffi.ts';
import { kernelObject } from './acl.ts';
import { library, NativeFailure, once, type Pointer, room, wide } from './native.ts';

/** DACL_SECURITY_INFORMATION, and PROTECTED_DACL: nothing is inherited from above. */
const part = { owner: 0x1, list: 0x4, protected: 0x8000_0000 } as const;
const revision = 1;
const open = {
  readControl: 0x2_0000,
  writeList: 0x4_0000,
  writeOwner: 0x8_0000,
  share: 0x7,
  existing: 3,
} as const;

const invalid = 0xffff_ffff_ffff_ffffn;

/** SYSTEM, Administrators, and who made it: an agent that is no administrator must reach its own. */
const folderList = 'D:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;FA;;;OW)';
/** Those who may ask the agent. Nobody else can even look. Who asks wants to see that it is theirs. */
const pipeList = 'O:BAD:P(A;;FA;;;SY)(A;;FA;;;BA)';

const calls = once(() =>
  withFfi((ffi) => {
    const security = ffi.dlopen(library('advapi32.dll'), {
      SetSecurityInfo: {
        arguments: ['pointer', 'int32', 'uint32', 'pointer', 'pointer', 'pointer', 'pointer'],
        return: 'uint32',
      },
      ConvertStringSecurityDescriptorToSecurityDescriptorW: {
        arguments: ['buffer', 'uint32', 'buffer', 'pointer'],
        return: 'int32',
      },
      GetSecurityDescriptorOwner: {
        arguments: ['pointer', 'buffer', 'buffer'],
        return: 'int32',
      },
      GetSecurityDescriptorDacl: {
        arguments: ['pointer', 'buffer', 'buffer', 'buffer'],
        return: 'int32',
      },
    });
    const kernel = ffi.dlopen(library('kernel32.dll'), {
      CreateDirectoryW: { arguments: ['buffer', 'buffer'], return: 'int32' },
      CreateFileW: {
        arguments: ['buffer', 'uint32', 'uint32', 'pointer', 'uint32', 'uint32', 'pointer'],
        return: 'pointer',
      },
      CloseHandle: { arguments: ['pointer'], return: 'int32' },
      LocalFree: { arguments: ['pointer'], return: 'pointer' },
    });
    return { ...security.functions, ...kernel.functions };
  }),
);

/** Makes a folder that is closed to others from its first moment. What is there already is left alone. */
export function makeClosedFolder(path: string): void {
  withDescriptor(folderList, (descriptor) => {
    // SECURITY_ATTRIBUTES: its length, the descriptor, and whether programs inherit the handle.
    const attributes = room(24);
    attributes.writeUInt32LE(attributes.length, 0);
    attributes.writeBigUInt64LE(descriptor, 8);
    calls().CreateDirectoryW(wide(win32.toNamespacedPath(win32.resolve(path))), attributes);
  });
}

/**
 * Keeps a pipe that this process listens on to SYSTEM and Administrators. All instances of a pipe have one
 * access list. Node lets Windows set it when it is made: then everybody may open it for reading, and read
 * nothing, as long as this has not been done.
 */
export function restrictPipe(path: string): void {
  const { CreateFileW, CloseHandle } = calls();
  const openWith = (rights: number): Pointer =>
    CreateFileW(wide(path), rights, open.share, 0n, open.existing, 0, 0n);
  const list = open.readControl | open.writeList;
  const full = openWith(list | open.writeOwner);
  const handle = full === invalid ? openWith(list) : full;
  if (handle === invalid) throw new Error(`${path} cannot be opened to set who may use it`);
  try {
    setList(handle);
  } finally {
    CloseHandle(handle);
  }
}

function setList(handle: Pointer): void {
  withDescriptor(pipeList, (descriptor) => {
    const [owner, present, list, usual] = [room(), room(4), room(), room(4)];
    calls().GetSecurityDescriptorOwner(descriptor, owner, usual);
    calls().GetSecurityDescriptorDacl(descriptor, present, list, usual);
    const set = (parts: number): number =>
      calls().SetSecurityInfo(
        handle,
        kernelObject,
        (parts | part.protected) >>> 0,
        ...([owner.readBigUInt64LE(), 0n] as const),
        list.readBigUInt64LE(),
        0n,
      );
    let failure = set(part.owner | part.list);
    // Only an administrator can let something belong to administrators.
    if (failure !== 0) failure = set(part.list);
    if (failure !== 0) throw new NativeFailure('SetSecurityInfo', failure);
  });
}

function withDescriptor(sddl: string, use: (descriptor: Pointer) => void): void {
  const made = room();
  const convert = calls().ConvertStringSecurityDescriptorToSecurityDescriptorW;
  if (convert(wide(sddl), revision, made, 0n) === 0) throw new Error(`not an access list: ${sddl}`);
  const descriptor = made.readBigUInt64LE();
  try {
    use(descriptor);
  } finally {
    calls().LocalFree(descriptor);
  }
}
