/** Reads which shared libraries a program asks for, from its bytes; the program is not run. */

const loadSegment = 1;
const dynamicSegment = 2;
const tagNeeded = 1n;
const tagStrings = 5n;
const tagEnd = 0n;

interface Segment {
  readonly type: number;
  readonly offset: number;
  readonly address: number;
  readonly size: number;
}

/**
 * The NEEDED entries of an ELF file (elf(5)), 32 or 64 bits, either byte order. Empty for a program
 * without any (linked statically), `undefined` for what is no ELF file or is damaged.
 */
export function neededLibraries(bytes: Buffer): string[] | undefined {
  if (bytes.length < 52 || bytes.toString('latin1', 0, 4) !== '\x7fELF') return undefined;
  try {
    return readNeeded(createReader(bytes));
  } catch (error) {
    // Something in it points outside of it.
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

function readNeeded(file: Reader): string[] {
  const segments = readSegments(file);
  const dynamic = segments.find(({ type }) => type === dynamicSegment);
  if (dynamic === undefined) return [];
  const entries = readDynamic(file, dynamic);
  const strings = entries.find(({ tag }) => tag === tagStrings);
  if (strings === undefined) return [];
  const address = Number(strings.value);
  const home = segments.find(
    (one) => one.type === loadSegment && address >= one.address && address < one.address + one.size,
  );
  if (home === undefined) throw new RangeError('the strings are in no segment');
  const start = address - home.address + home.offset;
  return entries
    .filter(({ tag }) => tag === tagNeeded)
    .map(({ value }) => file.text(start + Number(value)));
}

/** Where the program headers are, and where each of them has what (Elf32_Phdr, Elf64_Phdr). */
function readSegments(file: Reader): Segment[] {
  const [offset, entrySize, count] = file.wide
    ? [file.word(32), file.half(54), file.half(56)]
    : [file.word(28), file.half(42), file.half(44)];
  return Array.from({ length: count }, (_, index) => {
    const at = offset + index * entrySize;
    return {
      type: file.int(at),
      offset: file.word(at + (file.wide ? 8 : 4)),
      address: file.word(at + (file.wide ? 16 : 8)),
      size: file.word(at + (file.wide ? 32 : 16)),
    };
  });
}

function readDynamic(file: Reader, { offset, size }: Segment) {
  const step = file.wide ? 8 : 4;
  const entries: { readonly tag: bigint; readonly value: bigint }[] = [];
  for (let at = offset; at < offset + size; at += 2 * step) {
    const tag = BigInt(file.word(at));
    if (tag === tagEnd) break;
    entries.push({ tag, value: BigInt(file.word(at + step)) });
  }
  return entries;
}

type Reader = ReturnType<typeof createReader>;

function createReader(bytes: Buffer) {
  const wide = bytes[4] === 2;
  const little = bytes[5] === 1;
  const int = (at: number) => (little ? bytes.readUInt32LE(at) : bytes.readUInt32BE(at));
  const half = (at: number) => (little ? bytes.readUInt16LE(at) : bytes.readUInt16BE(at));
  /** A number of the file's own width. */
  const word = (at: number): number => {
    if (!wide) return int(at);
    return Number(little ? bytes.readBigUInt64LE(at) : bytes.readBigUInt64BE(at));
  };
  const text = (at: number): string => {
    const end = bytes.indexOf(0, at);
    if (at >= bytes.length || end === -1) throw new RangeError('a text without an end');
    return bytes.toString('latin1', at, end);
  };
  return { wide, int, half, word, text };
}
