import { ArError } from '../errors.ts';

/** Where something stands in a file, both counted from 1. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

/** Something to tell about a place in the file that does not keep it from being used. */
export interface Remark extends Place {
  readonly message: string;
}

export function remarkAt({ line, column }: Place, message: string): Remark {
  return { line, column, message };
}

/** A file that cannot be used, in the form that editors and terminals make a link of. */
export function configError(file: string, place: Place, message: string, hint: string): ArError {
  return new ArError('config-invalid', describePlace(file, place, message), hint);
}

/** `file:line:column: message` */
export function describePlace(file: string, place: Place, message: string): string {
  return `${file}:${place.line}:${place.column}: ${message}`;
}

/** Makes a function that tells an offset's line and column, without reading the text each time. */
export function placesIn(text: string): (offset: number) => Place {
  const starts = [0];
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) starts.push(at + 1);
  return (offset) => {
    let low = 0;
    let high = starts.length - 1;
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if ((starts[middle] ?? 0) <= offset) low = middle;
      else high = middle - 1;
    }
    return { line: low + 1, column: offset - (starts[low] ?? 0) + 1 };
  };
}

/**
 * Quotes what stands in a file, cut to a length that fits a message. What stands behind the beginning of
 * an address can be the secret of a webhook that got into the wrong place.
 */
export function quote(text: string): string {
  // JSON leaves these as they are, and terminals obey them.
  const visible = text.replace(/[\u007f-\u009f]/g, '?');
  const shown = visible.replace(/:\/{1,2}[^\s"]*/g, '://…');
  return JSON.stringify(shown.length > 60 ? `${shown.slice(0, 60)}…` : shown);
}
