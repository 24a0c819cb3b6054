/** Files of Windows by their handles: what is held stays the same file, whatever its path leads to. */
import { withFfi } from '../ffi.ts';
import { checkStatus, library, objectNamed, once, type Pointer, room, status } from './native.ts';
import { usePrivileges } from './tokens.ts';

/** Winnt.h. */
const right = {
  readData: 0x1,
  writeAttributes: 0x100,
  readAttributes: 0x80,
  delete: 0x1_0000,
  readControl: 0x2_0000,
  writeDac: 0x4_0000,
  synchronize: 0x10_0000,
} as const;
const share = { read: 0x1, write: 0x2 } as const;
const open = 1;
/** FILE_SYNCHRONOUS_IO_NONALERT, FILE_OPEN_REPARSE_POINT, FILE_OPEN_FOR_BACKUP_INTENT. */
const always = 0x20 | 0x20_0000 | 0x4000;
const onlyFolder = 0x1;
const onlyFile = 0x40;
/** Of FILE_INFORMATION_CLASS. */
const info = { basic: 4, standard: 5, internal: 6, rename: 10, disposition: 13 } as const;
const reparsePoint = 0x400;
const ofFolder = 0x10;
/** OWNER, GROUP and DACL; to change: the DACL, taken from above no more. */
const allSecurity = 0x7;
const ownList = 0x4 | 0x8000_0000;
const inheritedList = 0x4 | 0x2000_0000;
/** In the control bits of a security descriptor: SE_DACL_PROTECTED. */
const protectedBit = 0x1000;

export interface FileHandle {
  readonly handle: Pointer;
  /** Its number on its volume. */
  readonly id: bigint;
  readonly links: number;
  readonly isReparsePoint: boolean;
  readonly isFolder: boolean;
  /** Where it is, by the drive; links on the way and short names are resolved. */
  path(): string;
  /** Gives it another name, never over what has that name. `in`: a folder that the name is in. */
  rename(name: string, folder?: FileHandle): void;
  /** Removes it when the last one closes it. */
  remove(): void;
  /** Owner and access list, as Windows keeps them. */
  security(): Buffer;
  setSecurity(descriptor: Buffer): void;
  close(): void;
}

const calls = once(() =>
  withFfi((ffi) => ({
    ...ffi.dlopen(library('ntdll.dll'), {
      NtCreateFile: {
        arguments: [
          'buffer',
          'uint32',
          'buffer',
          'buffer',
          'pointer',
          'uint32',
          'uint32',
          'uint32',
          'uint32',
          'pointer',
          'uint32',
        ],
        return: 'int32',
      },
      NtQueryInformationFile: {
        arguments: ['pointer', 'buffer', 'buffer', 'uint32', 'int32'],
        return: 'int32',
      },
      NtSetInformationFile: {
        arguments: ['pointer', 'buffer', 'buffer', 'uint32', 'int32'],
        return: 'int32',
      },
      NtQuerySecurityObject: {
        arguments: ['pointer', 'uint32', 'buffer', 'uint32', 'buffer'],
        return: 'int32',
      },
      NtSetSecurityObject: { arguments: ['pointer', 'uint32', 'buffer'], return: 'int32' },
      NtClose: { arguments: ['pointer'], return: 'int32' },
    }).functions,
    ...ffi.dlopen(library('kernel32.dll'), {
      GetFinalPathNameByHandleW: {
        arguments: ['pointer', 'buffer', 'uint32', 'uint32'],
        return: 'uint32',
      },
    }).functions,
  })),
);

/**
 * Holds a file, itself and not where it leads. Nobody writes to it, deletes or renames it meanwhile, or a
 * folder on the way. Throws where somebody has it open for such a thing. Undefined: it is not there.
 */
export function holdFile(path: string): FileHandle | undefined {
  const { readData, readAttributes, delete: remove, readControl, writeDac } = right;
  return hold(path, {
    access: readData | readAttributes | remove | readControl | writeDac | right.synchronize,
    sharing: share.read,
    options: always | onlyFile,
  });
}

/** Holds a folder: it stays where it is, and so do those above it. Undefined: it is not there. */
export function holdFolder(path: string): FileHandle | undefined {
  const { readData, readAttributes, readControl, writeDac } = right;
  return hold(path, {
    access: readData | readAttributes | readControl | writeDac | right.synchronize,
    sharing: share.read | share.write,
    options: always | onlyFolder,
  });
}

interface Opening {
  readonly access: number;
  readonly sharing: number;
  readonly options: number;
}

function hold(path: string, { access, sharing, options }: Opening): FileHandle | undefined {
  usePrivileges();
  const [opened, ioStatus] = [room(), room(16)];
  const { attributes, pointedTo } = objectNamed(path);
  const answer = calls().NtCreateFile(
    opened,
    access,
    attributes,
    ioStatus,
    null,
    0,
    sharing,
    open,
    options,
    null,
    0,
  );
  void pointedTo;
  const gone: readonly number[] = [status.nameNotFound, status.pathNotFound, status.nameInvalid];
  if (gone.includes(answer >>> 0)) return undefined;
  checkStatus('NtCreateFile', answer);
  return handleOf(opened.readBigUInt64LE());
}

function handleOf(handle: Pointer): FileHandle {
  try {
    const attributes = query(handle, info.basic, 40).readUInt32LE(32);
    return {
      handle,
      id: query(handle, info.internal, 8).readBigUInt64LE(),
      links: query(handle, info.standard, 24).readUInt32LE(16),
      isReparsePoint: (attributes & reparsePoint) !== 0,
      isFolder: (attributes & ofFolder) !== 0,
      path: () => finalPath(handle),
      rename: (name, folder) => rename(handle, name, folder),
      remove: () => {
        const wanted = room(1);
        wanted.writeUInt8(1);
        change('its removal', handle, info.disposition, wanted);
      },
      security: () => readSecurity(handle),
      setSecurity: (descriptor) => {
        const isOwn = (descriptor.readUInt16LE(2) & protectedBit) !== 0;
        const what = isOwn ? ownList : inheritedList;
        const answer = calls().NtSetSecurityObject(handle, what >>> 0, descriptor);
        checkStatus('NtSetSecurityObject', answer);
      },
      close: () => {
        calls().NtClose(handle);
      },
    };
  } catch (error) {
    calls().NtClose(handle);
    throw error;
  }
}

function query(handle: Pointer, what: number, bytes: number): Buffer {
  const found = room(bytes);
  const answer = calls().NtQueryInformationFile(handle, room(16), found, bytes, what);
  checkStatus('NtQueryInformationFile', answer);
  return found;
}

function change(call: string, handle: Pointer, what: number, wanted: Buffer): void {
  checkStatus(call, calls().NtSetInformationFile(handle, room(16), wanted, wanted.length, what));
}

/** FILE_RENAME_INFORMATION; what has the name already is not replaced. */
function rename(handle: Pointer, name: string, folder: FileHandle | undefined): void {
  const text = Buffer.from(folder === undefined ? `\\??\\${name}` : name, 'utf16le');
  const wanted = Buffer.alloc(20 + text.length + 4);
  wanted.writeBigUInt64LE(folder?.handle ?? 0n, 8);
  wanted.writeUInt32LE(text.length, 16);
  text.copy(wanted, 20);
  change('its new name', handle, info.rename, wanted);
}

function finalPath(handle: Pointer): string {
  const found = room(65_536);
  const length = calls().GetFinalPathNameByHandleW(handle, found, found.length / 2, 0);
  if (length === 0 || length >= found.length / 2) throw new Error('its path cannot be asked for');
  return found.toString('utf16le', 0, length * 2).replace(/^\\\\\?\\/, '');
}

function readSecurity(handle: Pointer): Buffer {
  const length = room(4);
  const found = room(65_536);
  const answer = calls().NtQuerySecurityObject(handle, allSecurity, found, found.length, length);
  checkStatus('NtQuerySecurityObject', answer);
  return Buffer.from(found.subarray(0, length.readUInt32LE()));
}
