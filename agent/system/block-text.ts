import type { EditBlockStep } from '../../platform/step.ts';

/** What a change makes of a file: its new bytes (`undefined` = no file), or why it is left alone. */
export type Changed = { readonly bytes: Buffer | undefined } | { readonly refused: string };

type Block = EditBlockStep['block'];

interface Found {
  readonly lines: readonly string[];
  /** Everything that is not between the two marker lines, in its order. */
  readonly outside: string;
}

/**
 * Carries out an edit on the bytes of a file (`undefined` = there is none): lines are taken out, then
 * added, and the block is put at the top.
 *
 * The top, because of what can stand in front of a line in files of this kind: a last line without a
 * newline, a backslash or a NUL that makes it run on into ours, or a rule that is matched first.
 */
export function editBlockText(old: Buffer | undefined, step: EditBlockStep): Changed {
  const fault = faultIn(step);
  if (fault !== undefined) return { refused: fault };
  // Latin-1 maps every byte to one character and back.
  const found = findBlock(old?.toString('latin1') ?? '', step.block);
  if ('refused' in found) return found;

  const gone = new Set(step.remove.map(asLatin1));
  const lines = found.lines.filter((line) => !gone.has(bare(line)));
  const there = new Set(lines.map(bare));
  for (const line of step.add.map(asLatin1)) {
    if (!there.has(line)) lines.push(line);
    there.add(line);
  }

  const created = asLatin1(step.block.created);
  if (lines.every((line) => bare(line) === created)) {
    const ours = old === undefined || lines.length > 0;
    return { bytes: ours && found.outside === '' ? undefined : fromLatin1(found.outside) };
  }
  if (old === undefined) lines.unshift(created);
  const text = [asLatin1(step.block.begin), ...lines, asLatin1(step.block.end), found.outside];
  return { bytes: fromLatin1(text.join('\n')) };
}

/** A line that would be read as something else than one line of the block. */
function faultIn({ block, add, remove }: EditBlockStep): string | undefined {
  for (const line of [...add, ...remove]) {
    if (/[\n\r\0]/.test(line) || line === block.begin || line === block.end) {
      return `${JSON.stringify(line)} can not be a line of a block`;
    }
  }
  return undefined;
}

/** Finds the block. One that is not whole is refused: nobody can say which lines are in it. */
function findBlock(text: string, block: Block): Found | { refused: string } {
  const lines = text.split('\n');
  const begins = positions(lines, asLatin1(block.begin));
  const ends = positions(lines, asLatin1(block.end));
  if (begins.length === 0 && ends.length === 0) return { lines: [], outside: text };
  const [begin, end] = [begins[0], ends[0]];
  if (begin === undefined || end === undefined || begins.length + ends.length > 2 || end < begin) {
    const where = (found: readonly number[]) =>
      found.length === 0 ? 'nowhere' : `in line ${found.map((index) => index + 1).join(', ')}`;
    const refused =
      `the block is damaged: "${block.begin}" stands ${where(begins)}, ` +
      `"${block.end}" ${where(ends)}; mend it by hand, or take both lines and all between them out`;
    return { refused };
  }
  const above = lines.slice(0, begin).map((line) => `${line}\n`);
  return {
    lines: lines.slice(begin + 1, end),
    outside: above.join('') + lines.slice(end + 1).join('\n'),
  };
}

function positions(lines: readonly string[], wanted: string): number[] {
  return lines.flatMap((line, index) => (bare(line) === wanted ? [index] : []));
}

/** The line without the carriage return that an editor may have given to every line of the file. */
function bare(line: string): string {
  return line.endsWith('\r') ? line.slice(0, -1) : line;
}

function asLatin1(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}

function fromLatin1(text: string): Buffer {
  return Buffer.from(text, 'latin1');
}
