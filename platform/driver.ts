import type { Target } from './target.ts';

/**
 * A command to run: an argument vector, never a shell line.
 *
 * `tool` is a plain program name; where it lives is looked up in a fixed list of system folders,
 * never in the caller's PATH. `stdin` is written and closed. `deadlineMs` is how long the tool may
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

/** One thing a driver wants done, as data: it can be printed, compared, carried out or not. */
export type Step = CommandStep | EditBlockStep | ReadFileStep;

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

/** Something to ask the machine, and a pure function that understands the answers. */
export interface Question<Answer> {
  readonly steps: readonly Step[];
  /** `results[i]` answers `steps[i]`. Never throws. */
  read(results: readonly StepResult[]): Answer;
}

/** One effect to make or to take back. */
export interface Effect {
  readonly target: Target;
  /** How long it is to stand, in milliseconds; absent = until it is taken back. */
  readonly expiresInMs?: number | undefined;
  /** True when it is known to stand already and only its end changes (self-expiring drivers). */
  readonly standing?: boolean | undefined;
}

/** An effect of ours that the machine holds now. */
export interface FoundEffect {
  readonly target: Target;
  /** What the machine itself says is left of it; absent = it does not expire by itself. */
  readonly expiresInMs?: number | undefined;
}

/**
 * What a driver found on the machine. `unknown` is an answer of its own (no permission, a tool that
 * failed, output that could not be understood) and is never taken for "nothing there".
 */
export type Reading =
  | { readonly known: false; readonly why: string }
  | {
      readonly known: true;
      /** The containers that stand whole and enforce what is in them. */
      readonly containers: readonly string[];
      /** Effects of ours; the same target twice means that it stands twice. */
      readonly effects: readonly FoundEffect[];
      /** Targets that something else already treats as we would: left alone, never removed. */
      readonly foreign: readonly Target[];
      /** Makes the named containers stand whole, from what was found, without a gap. */
      setup(containers: readonly string[]): Step[];
      /** Takes away every container of ours; only called when no effect is left. */
      teardown(): Step[];
    };

/** Whether a facility can be used here, and the reason in words that fit a log line. */
export interface Usability {
  readonly usable: boolean;
  readonly why: string;
  /** Address families it can act on here; empty when it is not usable. */
  readonly families: readonly (4 | 6)[];
  /** Settings that were left open and are settled by what was found here; they are recorded. */
  readonly settled?: Settings;
}

/**
 * What an effect needs to be taken back later (a table's name, a file's path, which variant of a
 * tool). Stored with every action, so that an agent with other settings undoes what this one did.
 */
export type Settings = Readonly<Record<string, string>>;

/** Facts about a driver that the engine acts on. */
export interface Traits {
  /** The machine removes an effect by itself when its time is over. */
  readonly selfExpiring: boolean;
  /** The longest expiry the machine takes, in milliseconds; longer ones are set again in time. */
  readonly longestExpiryMs?: number;
  /** Acts on prefixes too, not only on single hosts. */
  readonly prefixes: boolean;
  /** How many effects one batch may carry. */
  readonly batchSize: number;
}

/**
 * A driver knows one facility of an operating system. It is a record of pure functions: it plans and
 * understands, and does nothing. See docs/architecture.md for who calls what when.
 */
export interface Driver {
  readonly name: string;
  readonly settings: Settings;
  readonly traits: Traits;
  /** Read-only: is the facility here and usable? */
  readonly probe: Question<Usability>;
  /** Read-only: what of ours does the machine hold now? */
  readonly inspect: Question<Reading>;
  /** The container (set, chain, table …) that holds effects on this target; it must stand first. */
  container(target: Target): string | undefined;
  /** Makes effects. Standing ones (see `Effect.standing`) get their new end. */
  apply(effects: readonly Effect[]): Step[];
  /** Takes effects back. */
  revert(effects: readonly Effect[]): Step[];
}

/** How a driver comes into being: from its settings, which default to `defaults`. */
export interface DriverKind {
  readonly name: string;
  readonly defaults: Settings;
  make(settings: Settings): Driver;
}
