import { describeError, type ErrorCode, errorCodes } from '../errors.ts';

interface Failure {
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint: string;
}

/** Ends a command that has said all there is to say, with an exit status of its own. */
export class Ended extends Error {
  readonly status: number;

  constructor(status: number) {
    super(`ended with status ${status}`);
    this.status = status;
  }
}

export function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

export function printJson(value: object): void {
  print(JSON.stringify(value));
}

/** A remark that is not part of the result. */
export function remark(text: string): void {
  process.stderr.write(`ar-exec: ${text}\n`);
}

/** Says what went wrong; returns the exit status that belongs to it. */
export function printFailure(json: boolean, error: unknown): number {
  const failure = isFailure(error) ? error : describeError(error);
  if (json) printJson({ ok: false, ...failure });
  else
    process.stderr.write(
      `ar-exec: ${oneLine(failure.message)} [${failure.code}]\n  ${failure.hint}\n`,
    );
  return errorCodes[failure.code];
}

/** Text that a stranger may have written: one line, without anything that moves a cursor. */
export function oneLine(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\u2028\u2029]+/gu, ' ');
}

/** The last cell of a row: the whole of it is in what `--json` prints. */
export function clip(text: string): string {
  return text.length > 72 ? `${text.slice(0, 71)}…` : text;
}

/** Rows as columns that line up, under their headings. */
export function table(headings: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = headings.map((heading, column) =>
    Math.max(heading.length, ...rows.map((row) => row[column]?.length ?? 0)),
  );
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd();
  return [headings, ...rows].map(line).join('\n');
}

function isFailure(value: unknown): value is Failure {
  return (
    typeof value === 'object' &&
    value !== null &&
    !(value instanceof Error) &&
    'code' in value &&
    'hint' in value
  );
}
