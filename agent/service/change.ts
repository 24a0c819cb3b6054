/** What is to be done to a machine, as data: it can be printed, and carried out or not. */
export type Change =
  | { readonly kind: 'folder'; readonly path: string; readonly mode: number }
  | WriteChange
  | { readonly kind: 'copy'; readonly path: string; readonly from: string; readonly mode: number }
  | { readonly kind: 'remove'; readonly path: string }
  /** One that is not empty stays. */
  | { readonly kind: 'remove-folder'; readonly path: string }
  /** A second name for a file, as it is, whatever becomes of the first; what was there before goes. */
  | { readonly kind: 'keep'; readonly path: string; readonly from: string }
  /** A symbolic link in the place of whatever is there; there is no moment without either. */
  | { readonly kind: 'link'; readonly path: string; readonly to: string }
  /** In the place of whatever is there, with all its rights. */
  | { readonly kind: 'move'; readonly path: string; readonly from: string }
  | LinesChange
  | RunChange;

export interface WriteChange {
  readonly kind: 'write';
  readonly path: string;
  readonly text: string;
  readonly mode: number;
  /** Absent: the group of whoever does it. */
  readonly gid?: number;
}

/** Lines of ours in somebody else's file, between two marks. No lines: they are taken out. */
export interface LinesChange {
  readonly kind: 'lines';
  readonly path: string;
  readonly lines: readonly string[];
  /** `rules`: before the first rule of pf.conf that passes or blocks; `xml`: at the end of XML. */
  readonly where: 'end' | 'rules' | 'xml';
  /** Is asked whether the new text is right before it counts; the file's name is put behind it. */
  readonly check?: readonly string[];
  /** Keeps what was there before, if there is no such copy yet. */
  readonly copy?: string;
}

export interface RunChange {
  readonly kind: 'run';
  readonly argv: readonly string[];
  /** `changed`: only if a file has been changed before, or if none has; `path`: only if this one has been. */
  readonly only?: 'changed' | 'unchanged' | { readonly path: string };
  /** It may say no: what it does is done already, or it depends. */
  readonly mayFail?: boolean;
}

/** Words without spaces in them. */
export function runs(line: string, more: Omit<RunChange, 'kind' | 'argv'> = {}): RunChange {
  return { kind: 'run', argv: line.split(' '), ...more };
}

/** A change as lines for people; a command can be pasted into a shell. */
export function changeText(change: Change): string {
  switch (change.kind) {
    case 'folder':
      return `install -d -m ${change.mode.toString(8)} ${quote(change.path)}`;
    case 'write':
      return [
        `# the file ${change.path}, mode ${change.mode.toString(8)}:`,
        ...change.text
          .trimEnd()
          .split('\n')
          .map((line) => `| ${line}`.trimEnd()),
      ].join('\n');
    case 'copy':
      return `install -m ${change.mode.toString(8)} ${quote(change.from)} ${quote(change.path)}`;
    case 'remove':
      return `rm -f ${quote(change.path)}`;
    case 'remove-folder':
      return `rmdir ${quote(change.path)}`;
    case 'keep':
      return `ln -f ${quote(change.from)} ${quote(change.path)}`;
    case 'link':
      return `ln -sfn ${quote(change.to)} ${quote(change.path)}`;
    case 'move':
      return `mv -f ${quote(change.from)} ${quote(change.path)}`;
    case 'lines':
      return linesText(change);
    case 'run': {
      const line = change.argv.map(quote).join(' ');
      if (change.only === undefined) return line;
      return `${line}  # if ${change.only === 'unchanged' ? 'nothing' : 'something'} has changed`;
    }
  }
}

function linesText({ path, lines, where, copy }: LinesChange): string {
  if (lines.length === 0) return `# in ${path}, the lines of ar-exec are taken out`;
  const place = where === 'rules' ? 'before its first rule' : 'at its end';
  const kept = copy === undefined ? '' : `, which is kept as ${copy}`;
  return [`# in ${path}${kept}, ${place}:`, ...lines.map((line) => `+ ${line}`)].join('\n');
}

function quote(word: string): string {
  return /^[\w./:=@,+-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
