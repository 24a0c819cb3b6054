/** The single things that a driver can want done, as data. agent/system/ carries them out. */

import type {
  ChangeAccountStep,
  EndSessionsStep,
  ReadAccountsStep,
  ReadGroupsStep,
} from './account-step.ts';
import type { PfReferenceStep } from './bsd/pf-step.ts';
import type { HttpRequestStep, SendMailStep } from './notify/steps.ts';
import type { QuarantineStep } from './quarantine-step.ts';

export type {
  Account,
  AccountSystem,
  Accounts,
  ChangeAccountStep,
  EndSessionsStep,
  ReadAccountsStep,
  ReadGroupsStep,
} from './account-step.ts';
export type { PfReferenceStep } from './bsd/pf-step.ts';
export type { HttpRequestStep, SendMailStep } from './notify/steps.ts';

export type {
  ExaminedFile,
  ExamineFileStep,
  FileState,
  HeldFile,
  PutBackFileStep,
  QuarantineListing,
  QuarantineStep,
  TakeFileStep,
  TidyQuarantineStep,
} from './quarantine-step.ts';

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
  /** Where it prints its results, its complaint is the first line, and its usage follows. */
  readonly complainsFirst?: boolean;
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
  /** Windows knows neither signals nor groups: it is ended at once, and with it what it has started. */
  readonly system?: 'win32';
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
 * A run of somebody's own executable, as data. It is no step of a driver: it can be a conversation, and
 * agent/system/run-script.ts holds it.
 */
export interface ScriptStep {
  readonly kind: 'script';
  /** The response folder, an absolute path; nothing outside of it is ever run. */
  readonly folder: string;
  /** A plain file name in it. */
  readonly file: string;
  /** The working directory, and how the file is named from there: the script sees it as `$0`. */
  readonly cwd: string;
  readonly program: string;
  readonly words: readonly string[];
  /** `shell`: only a shell script that asks for `$1` is given the words. */
  readonly wordsFor: 'every-file' | 'shell';
  /** The line it reads, without its end; absent: there is nothing to read. */
  readonly line?: string | undefined;
  /** Whether it may, or must, name its keys on its standard output and wait for an answer. */
  readonly handshake: 'none' | 'possible' | 'required';
  readonly deadlineMs: number;
  /** Stands in its environment (AR_EXEC_RUN), so that what is left of it can be found. */
  readonly run: string;
}

/**
 * Reads which libraries a program asks for, and which of `words` are in it; it is not run. `stdout` is
 * JSON, `{"needed": […], "mentions": […]}`, and empty when there is no such file.
 */
export interface ReadProgramStep {
  readonly kind: 'read-program';
  readonly path: string;
  readonly words: readonly string[];
}

/**
 * Calls of methods of one interface of a D-Bus service, on the system's bus. `stdout` is JSON: for each
 * call the list of what it returned.
 *
 * They are made in their order, some at a time. One that is refused does not keep the others from being
 * made, and the step fails with what was said first. A service that does not run is not started.
 */
export interface DbusStep {
  readonly kind: 'dbus';
  readonly destination: string;
  readonly path: string;
  readonly interface: string;
  readonly calls: readonly DbusCall[];
  /** Beginnings of what is said of a call that is refused because it is so already: a success. */
  readonly alreadySo?: readonly string[];
  /** One call in place of all others, if `ifEmpty` returns an empty list. */
  readonly first?: { readonly ifEmpty: DbusCall; readonly call: DbusCall };
  readonly deadlineMs?: number;
}

export interface DbusCall {
  readonly member: string;
  /** Of the arguments, in D-Bus notation: `ss`, `sas`. */
  readonly signature: string;
  readonly args: readonly DbusValue[];
}

export type DbusValue = string | number | boolean | readonly DbusValue[];

/** Looks whether the calls of Windows itself can be made. */
export interface NativeCallsStep {
  readonly kind: 'native-calls';
}

/** Stops a service of Windows, if it runs, and starts it; it is done when it runs again. */
export interface RestartServiceStep {
  readonly kind: 'restart-service';
  readonly service: string;
  readonly deadlineMs: number;
}

/** Reads which addresses are default gateways of this Windows; `stdout` is a list of them as JSON. */
export interface ReadGatewaysStep {
  readonly kind: 'read-gateways';
}

/** One thing a driver wants done, as data: it can be printed, compared, carried out or not. */
export type Step =
  | CommandStep
  | EditBlockStep
  | ReadFileStep
  | ReadAccountsStep
  | ReadGroupsStep
  | ChangeAccountStep
  | EndSessionsStep
  | NameFilesStep
  | ListFolderStep
  | CheckExecutableStep
  | EndProcessStep
  | NativeCallsStep
  | RestartServiceStep
  | ReadGatewaysStep
  | ReadProgramStep
  | DbusStep
  | PfReferenceStep
  | QuarantineStep
  | HttpRequestStep
  | SendMailStep;

/**
 * What came of a step. `failure` is absent when it succeeded:
 * - `missing`: there is no such tool on this machine
 * - `exit`: the tool ended with a status other than 0
 * - `signal`: the tool was ended by a signal that was not ours
 * - `timeout`: it took longer than its deadline and was killed with its process group
 * - `io`: a file could not be read or written, a process not be started, or a machine not be reached
 * - `answer`: the other side answered that it did not do it, with `status` (HTTP, SMTP)
 */
export interface StepResult {
  readonly failure?: 'missing' | 'exit' | 'signal' | 'timeout' | 'io' | 'answer';
  readonly status?: number;
  /** How long the other side asks to be left alone. */
  readonly retryAfterMs?: number;
  readonly exitCode?: number;
  readonly stdout: string;
  /** What the tool said of its failure, cut to a length that fits a log line. */
  readonly stderr: string;
  /** It was done, and something about it is to be known all the same. */
  readonly remark?: string;
}

/** Carries out one step. The only way by which a plan reaches the machine. */
export type Runner = (step: Step) => Promise<StepResult>;
