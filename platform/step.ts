/** The single things that a driver can want done, as data. agent/system/ carries them out. */

/**
 * A command to run: an argument vector, never a shell line.
 *
 * `tool` is a plain program name; where it lives is looked up in a fixed list of system folders,
 * never in the caller's PATH. Or it is an absolute path, run only if nobody but root (or the agent's
 * own user) can change what is there; see CheckExecutableStep. `stdin` is written and closed. `deadlineMs` is how long the tool may
 * take before it is killed together with everything it started.
 */
export interface CommandStep {
  readonly kind: 'command';
  readonly tool: string;
  readonly args: readonly string[];
  readonly stdin?: string;
  readonly deadlineMs?: number;
  /** The tool does nothing before it has read all of `stdin`: it may be started ahead of its work. */
  readonly standby?: boolean;
  /** It starts others that go on, and may hold its pipes: it is over when the tool itself ends. */
  readonly leavesDaemons?: boolean;
}

/** Looks whether an executable may be run: it is there, and only root (or we) can change or replace it. */
export interface CheckExecutableStep {
  readonly kind: 'check-executable';
  readonly path: string;
}

/**
 * A change to a block of lines of ours inside somebody else's file.
 *
 * The block stands at the top of the file, between the lines `begin` and `end`; every byte outside
 * it is kept. A block without lines is taken out. A file that did not exist is created with the
 * line `created` in its block, and removed again when the block goes and nothing else is in it.
 */
export interface EditBlockStep {
  readonly kind: 'edit-block';
  readonly path: string;
  readonly block: { readonly begin: string; readonly end: string; readonly created: string };
  readonly add: readonly string[];
  readonly remove: readonly string[];
}

/** Reads a file as text. A file that does not exist reads as empty. */
export interface ReadFileStep {
  readonly kind: 'read-file';
  readonly path: string;
}

/**
 * Makes and removes empty files in one folder, all at once. Those that it makes have the mode 1444: by
 * the sticky bit they are known as ours, and no others are removed. A folder that is not there is made
 * (its last part alone, mode 0755) and stays; a path with a link in it is refused.
 */
export interface NameFilesStep {
  readonly kind: 'name-files';
  /** The folder. */
  readonly path: string;
  readonly add: readonly string[];
  readonly remove: readonly string[];
}

/** Lists a folder, without what is below; `stdout` is a FolderListing as JSON. Refuses links in its path. */
export interface ListFolderStep {
  readonly kind: 'list-folder';
  readonly path: string;
}

export interface FolderListing {
  readonly exists: boolean;
  readonly entries: readonly {
    readonly name: string;
    readonly type: 'file' | 'folder' | 'link' | 'other';
    /** Permission bits, with set-id and sticky. */
    readonly mode: number;
    /** Bytes. */
    readonly size: number;
  }[];
}

/**
 * Ends a process, if it is still the one that is meant: it runs `executable` and has started before
 * `startedBefore` (milliseconds since 1970; absent: now). SIGTERM first where `graceMs` is not 0, then
 * SIGKILL. `family` ends with it what descends from it and what is in a session or process group that
 * it leads. `never` are programs, and folders of programs, that are left alone.
 *
 * Answers on stdout with an `EndProcessAnswer`.
 */
export interface EndProcessStep {
  readonly kind: 'end-process';
  readonly pid: number;
  readonly executable: string;
  readonly startedBefore?: number | undefined;
  readonly graceMs: number;
  readonly family: boolean;
  readonly never: readonly string[];
}

/**
 * What became of a process, as JSON:
 * - `ended`: by us; `others` counts those that ended with it
 * - `gone`: it had ended before
 * - `recycled`: the number is that of a process that started too late to be meant
 * - `changed`, `protected`: it was left alone, and why
 * - `lives`: it was told to end and has not
 */
export type EndProcessAnswer =
  | { readonly outcome: 'ended'; readonly others: number }
  | { readonly outcome: 'gone' }
  | { readonly outcome: 'recycled' | 'changed' | 'protected' | 'lives'; readonly why: string };

/**
 * Reads which libraries a program asks for, and which of `words` are in it; it is not run. `stdout` is
 * JSON, `{"needed": […], "mentions": […]}`, and empty when there is no such file.
 */
export interface ReadProgramStep {
  readonly kind: 'read-program';
  readonly path: string;
  readonly words: readonly string[];
}

/** One thing a driver wants done, as data: it can be printed, compared, carried out or not. */
export type Step =
  | CommandStep
  | EditBlockStep
  | ReadFileStep
  | NameFilesStep
  | ListFolderStep
  | CheckExecutableStep
  | EndProcessStep
  | ReadProgramStep;

/**
 * What came of a step. `failure` is absent when it succeeded:
 * - `missing`: there is no such tool on this machine
 * - `exit`: the tool ended with a status other than 0
 * - `signal`: the tool was ended by a signal that was not ours
 * - `timeout`: it took longer than its deadline and was killed with its process group
 * - `io`: a file could not be read or written, or a process could not be started
 */
export interface StepResult {
  readonly failure?: 'missing' | 'exit' | 'signal' | 'timeout' | 'io';
  readonly exitCode?: number;
  readonly stdout: string;
  /** What the tool said of its failure, cut to a length that fits a log line. */
  readonly stderr: string;
}

/** Carries out one step. The only way by which a plan reaches the machine. */
export type Runner = (step: Step) => Promise<StepResult>;
