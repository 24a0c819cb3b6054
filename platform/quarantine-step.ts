/** The steps that have to do with a quarantine folder. */

/** What a file was when it was looked at, as text: it goes into the journal. */
export interface FileState {
  readonly dev: string;
  readonly ino: string;
  /** Bytes. */
  readonly size: string;
  readonly uid: string;
  readonly gid: string;
  /** Permission bits with set-id and sticky, octal. Windows: its security descriptor, in base64. */
  readonly mode: string;
  /** Nanoseconds since 1970. */
  readonly mtimeNs: string;
  readonly ctimeNs: string;
}

/** A file that is kept in a quarantine folder; beside each of them stands one as JSON. */
export interface HeldFile {
  /** What it is called there, without an ending. */
  readonly name: string;
  /** Where it was taken from. */
  readonly path: string;
  readonly sha256: string;
  /** In ISO 8601. */
  readonly takenAt: string;
  readonly state: FileState;
}

/**
 * Looks whether a file can be taken into the quarantine folder, and reads it for its hash. Changes
 * nothing. `sha256` and `sha1`, where given, are what it has to be; lower-case hexadecimal.
 *
 * Answers on stdout with an `ExaminedFile`.
 */
export interface ExamineFileStep {
  readonly kind: 'examine-file';
  readonly system?: 'win32';
  readonly path: string;
  readonly folder: string;
  readonly sha256?: string | undefined;
  readonly sha1?: string | undefined;
  readonly deadlineMs: number;
}

/** As JSON. `name` is free in the quarantine folder. */
export type ExaminedFile =
  | {
      readonly fit: true;
      readonly name: string;
      readonly sha256: string;
      readonly state: FileState;
    }
  | {
      readonly fit: false;
      readonly refusal: 'absent' | 'protected' | 'changed';
      readonly why: string;
    };

/**
 * Moves a file into the quarantine folder, where nobody but the agent can read or run it. It has to be
 * the file that was looked at; with `pinned` it has to hold the same bytes, too. A file that is there
 * already is left as it is.
 */
export interface TakeFileStep extends Omit<HeldFile, 'takenAt'> {
  readonly kind: 'take-file';
  readonly system?: 'win32';
  readonly folder: string;
  readonly pinned: boolean;
  readonly deadlineMs: number;
}

/** Moves a file back to its place, as it was. What stands there now is never replaced. */
export interface PutBackFileStep extends Omit<HeldFile, 'takenAt'> {
  readonly kind: 'put-back-file';
  readonly system?: 'win32';
  readonly folder: string;
  readonly deadlineMs: number;
}

/** Lists a quarantine folder; a `QuarantineListing` as JSON. There may be no such folder. */
export interface ListQuarantineStep {
  readonly kind: 'list-quarantine';
  readonly path: string;
}

export interface QuarantineListing {
  readonly held: readonly HeldFile[];
  /** Names under which there is something that was never taken in the end. */
  readonly leftovers: readonly string[];
}

/** Removes from a quarantine folder what was begun and never taken; no file that was. */
export interface TidyQuarantineStep {
  readonly kind: 'tidy-quarantine';
  readonly path: string;
  readonly names: readonly string[];
}

export type QuarantineStep =
  | ExamineFileStep
  | TakeFileStep
  | PutBackFileStep
  | ListQuarantineStep
  | TidyQuarantineStep;
