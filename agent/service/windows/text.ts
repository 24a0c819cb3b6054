import { type Change, changeText } from '../change.ts';

/** A change as a line for people; a command can be pasted into an elevated cmd.exe. */
export function windowsText(change: Change): string {
  switch (change.kind) {
    case 'folder':
      return `mkdir ${quote(change.path)}`;
    case 'copy':
      return `copy ${quote(change.from)} ${quote(change.path)}`;
    case 'remove':
      return `del ${quote(change.path)}`;
    case 'remove-folder':
      return `rmdir ${quote(change.path)}`;
    case 'run': {
      const line = change.argv.map(quote).join(' ');
      return change.only === undefined ? line : `${line}  & rem if something has changed`;
    }
    default:
      return changeText(change);
  }
}

/** As the C library of Windows takes a command line apart. */
function quote(word: string): string {
  if (/^[\w./:=@,+\\*%()-]+$/.test(word)) return word;
  return `"${word.replace(/(\\*)"/g, '$1$1\\"').replace(/\\+$/, '$&$&')}"`;
}
