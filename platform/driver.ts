import type { About, Finding } from './about.ts';
import type { Inquiry, Question } from './question.ts';
import type { Step } from './step.ts';
import type { System } from './system.ts';
import type { Target } from './target.ts';
import type { Watch } from './watch.ts';

export type { About, Finding } from './about.ts';
export type { Inquiry, Question } from './question.ts';
export type {
  DbusWatch,
  FilesWatch,
  IpsetWatch,
  NftablesWatch,
  RoutesWatch,
  Watch,
  WatchEvent,
  XtablesWatch,
} from './watch.ts';

/**
 * What has to be known to take an effect back, beyond its target (the former state of an account,
 * where a file came from). Written down before anything is changed, and kept with the effect.
 */
export type Memory = Readonly<Record<string, string>>;

/** One effect to make or to take back. */
export interface Effect<T extends Target = Target> {
  readonly target: T;
  /** How long it is to stand, in milliseconds; absent = until it is taken back. */
  readonly expiresInMs?: number | undefined;
  /** True when it is known to stand already and only its end changes (self-expiring drivers). */
  readonly standing?: boolean | undefined;
  /** What `Driver.examine` found before the effect was made; drivers without it never see any. */
  readonly memory?: Memory | undefined;
  /** What the request said besides the target, for responses that want it. */
  readonly facts?: Facts | undefined;
}

/**
 * What a look at one target before it is acted on came to. A refusal is final, and nothing is done:
 * - `absent`: there is no such thing on this machine
 * - `protected`: it must never be acted on
 * - `changed`: it is not what was asked for any more (another program under that number, other bytes)
 */
export type Examined =
  | { readonly fit: true; readonly memory: Memory; readonly preExisting?: boolean }
  | {
      readonly fit: false;
      readonly refusal: 'absent' | 'protected' | 'changed';
      /** What is wrong with it, to be read behind the target's name. */
      readonly why: string;
    }
  /** Nobody can say now; nothing is done. */
  | { readonly fit: 'unknown'; readonly why: string };

/** An effect of ours that the machine holds now. */
export interface FoundEffect<T extends Target = Target> {
  readonly target: T;
  /** What the machine itself says is left of it; absent = it does not expire by itself. */
  readonly expiresInMs?: number | undefined;
  /** What it can be taken back with, where the machine has that written down too. */
  readonly memory?: Memory | undefined;
  /** Only a part of it stands: not enough for who wants it, too much for who does not. */
  readonly partial?: boolean | undefined;
}

/**
 * What a driver found on the machine. `unknown` is an answer of its own (no permission, a tool that
 * failed, output that could not be understood) and is never taken for "nothing there".
 */
export type Reading<T extends Target = Target> =
  | { readonly known: false; readonly why: string }
  | {
      readonly known: true;
      /** The containers that stand whole and enforce what is in them. */
      readonly containers: readonly string[];
      /** Effects of ours; the same target twice means that it stands twice. */
      readonly effects: readonly FoundEffect<T>[];
      /** Targets that something else already treats as we would: left alone, never removed. */
      readonly foreign: readonly T[];
      /** True when something else does as much for a target without naming it (a wider prefix). */
      isCovered?(target: T): boolean;
      /**
       * What keeps effects from acting, and nothing here can put right; `status` tells it. Where `setup`
       * has no steps for a container that does not stand, effects are refused with it.
       */
      readonly trouble?: string | undefined;
      /** Makes the named containers stand whole, from what was found, without a gap. */
      setup(containers: readonly string[]): Step[];
      /**
       * As `setup`, and makes effects in what it makes, in fewer steps than both take one after the other;
       * right after this reading, with no step in between. Not for drivers that have to look again before
       * a batch (`hindrance`, `examine`, `sharesPlace`, `plansFromReading`).
       */
      rebuild?(containers: readonly string[], effects: readonly Effect<T>[]): Step[];
      /** Takes away every container of ours; only called when no effect is left. */
      teardown(): Step[];
      /** See `Traits.plansFromReading`. */
      readonly plan?: Plan<T>;
    };

/** What plans a batch from what was found right before it, in the place of the driver's own functions. */
export interface Plan<T extends Target = Target> {
  /** Why none of a batch must be made now, as `Driver.hindrance` has it, seen in the same look. */
  readonly obstacle?: string | undefined;
  apply(effects: readonly Effect<T>[]): Step[];
  revert(effects: readonly Effect<T>[]): Step[];
}

/** Whether a facility can be used here, and the reason in words that fit a log line. */
export interface Usability {
  readonly usable: boolean;
  readonly why: string;
  /** Not usable now, and perhaps soon, without anybody's doing here: it is looked at again. */
  readonly again?: boolean;
  /** Address families it can act on here; empty when it is not usable. */
  readonly families: readonly (4 | 6)[];
  /** Settings that were left open and are settled by what was found here; they are recorded. */
  readonly settled?: Settings;
  /** What `ar-exec doctor` tells besides: what is in the way, and what to do about it. */
  readonly findings?: readonly Finding[];
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
  /**
   * Nothing on the machine tells an effect of ours from the same thing done by somebody else (a
   * locked account is a locked account): only what the journal has is ours. Such a driver has
   * `examine`, and its reading lists everything of the kind as `effects`.
   */
  readonly unmarked?: boolean;
  /**
   * What others make can come to stand where an effect of ours stood, and would be taken away by the
   * same words: the machine is looked at right before anything that stands is changed.
   */
  readonly sharesPlace?: boolean;
  /**
   * What an effect was made of can be there anew while it stands (a file under the same name): whoever
   * asks again has it looked at again. Such a driver has `examine`.
   */
  readonly comesBack?: boolean;
  /**
   * An effect that nobody explains is never taken back by itself: it is taken into the journal, and held
   * until somebody deletes it.
   */
  readonly adoptsForGood?: boolean;
  /** Connections that stand go on: only new ones are kept out, or only one direction. */
  readonly leavesFlows?: boolean;
  /**
   * Which steps make or take back an effect depends on what stands (which rule has room for it, which
   * one it is in): the machine is looked at right before each batch, and `Reading.plan` makes its steps.
   * `Driver.apply` and `revert` plan as if nothing stood.
   */
  readonly plansFromReading?: boolean;
  /** The tools end with 0 whatever came of it: whether it came true is seen by looking afterwards. */
  readonly statusTellsNothing?: boolean;
}

/**
 * A driver knows one facility of an operating system. It is a record of pure functions: it plans and
 * understands, and does nothing. See docs/architecture.md for who calls what when.
 */
export interface Driver<T extends Target = Target> {
  readonly name: string;
  readonly settings: Settings;
  readonly traits: Traits;
  /** Read-only: is the facility here and usable? */
  readonly probe: Question<Usability>;
  /** Read-only: what of ours does the machine hold now? */
  readonly inspect: Inquiry<Reading<T>>;
  /** Read-only, before an effect is made: is this target fit for it, and how is it now? */
  examine?(target: T, facts: Facts): Question<Examined>;
  /**
   * Read-only, right before each batch of so many effects is made: why it must not be, if so (there is no
   * room left, nothing would act). None of the batch is made then.
   */
  hindrance?(count: number): Question<string | undefined>;
  /** The container (set, chain, table …) that holds effects on this target; it must stand first. */
  container(target: T): string | undefined;
  /** Makes effects. Standing ones (see `Effect.standing`) get their new end. */
  apply(effects: readonly Effect<T>[]): Step[];
  /** Takes effects back. */
  revert(effects: readonly Effect<T>[]): Step[];
  /** What tells that effects may have gone, without anybody asking. */
  readonly watch?: readonly Watch[];
  /** Read-only, for `ar-exec doctor`: what could keep effects from acting here, if it is usable. */
  readonly diagnose?: Question<readonly Finding[]>;
}

/** How a driver comes into being: from its settings, which default to `defaults`. */
export interface DriverKind<T extends Target = Target> {
  readonly name: string;
  readonly defaults: Settings;
  /** What differs by the system that it runs on; stored with every action, as all settings are. */
  defaultsOn?(system: System): Settings;
  /** A test wants it of every driver that is listed. */
  readonly about?: About;
  make(settings: Settings): Driver<T>;
}

/** What a response is told besides its target: the facts of the alert, as far as there are any. */
export interface Facts {
  readonly title?: string | undefined;
  readonly text?: string | undefined;
  readonly level?: number | undefined;
  readonly ruleId?: string | undefined;
  readonly groups?: readonly string[] | undefined;
  readonly alertId?: string | undefined;
  /** Milliseconds since 1970. */
  readonly alertAt?: number | undefined;
  /** Of the machine that the alert is about, as the manager knows it. */
  readonly agentName?: string | undefined;
  readonly agentId?: string | undefined;
  readonly location?: string | undefined;
  readonly srcip?: string | undefined;
  readonly user?: string | undefined;
  /** The file that the alert is about. */
  readonly file?: string | undefined;
  /** Of the file that the alert is about, in lower-case hexadecimal. */
  readonly sha256?: string | undefined;
  /** The same, for senders that know no other. */
  readonly sha1?: string | undefined;
  /** What the manager's configuration says for this response (`extra_args`). */
  readonly extraArgs?: readonly string[] | undefined;
}

/** What came of a one-shot. */
export type Judgement =
  | { readonly done: true }
  | {
      readonly done: false;
      readonly why: string;
      /** Trying again can help; `afterMs` is what the other side asked for. */
      readonly again: boolean;
      readonly afterMs?: number;
      /** Refused by what was found; see `Examined`. */
      readonly refusal?: 'absent' | 'protected' | 'changed';
    };

/** Does something that nothing takes back (ends a process, tells somebody). Like a driver it only plans. */
export interface OneShot<T extends Target = Target> {
  readonly name: string;
  readonly settings: Settings;
  readonly traits: OneShotTraits;
  /** Read-only: can it be done here? */
  readonly probe: Question<Usability>;
  /** Why nobody wants it done for these facts, if so; it is then not even written down. */
  unwanted?(facts: Facts): string | undefined;
  /** What to do, and a function that understands what came of it. */
  perform(target: T, facts: Facts, attempt?: Attempt): Question<Judgement>;
  /** Read-only, for `ar-exec doctor`; see `Driver.diagnose`. */
  readonly diagnose?: Question<readonly Finding[]>;
}

/** One try at a one-shot. */
export interface Attempt {
  /** When the agent was asked, in milliseconds since 1970. */
  readonly askedAt: number;
  /** A try before this one was begun, and may have done it. */
  readonly maybeDone: boolean;
  /** What the others say that are done by the same run; see `OneShotTraits.everyMs`. */
  readonly also?: readonly Facts[];
}

export interface OneShotTraits {
  /** How often it is tried in all, with growing pauses, restarts of the agent included. */
  readonly tries: number;
  /** May it be done a second time when nobody knows whether the first one came about? */
  readonly repeatable: boolean;
  /** How many of them run at a time. */
  readonly atOnce: number;
  /**
   * `burst` (1 if absent) in so many milliseconds at most. What comes sooner waits for its end, and
   * what is too much then, too, is done by the last of them together.
   */
  readonly everyMs?: number;
  readonly burst?: number;
}

export interface OneShotKind<T extends Target = Target> {
  readonly name: string;
  readonly defaults: Settings;
  readonly about?: About;
  make(settings: Settings): OneShot<T>;
}
