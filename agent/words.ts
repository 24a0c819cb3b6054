/**
 * The words that pass from stage to stage. Types only: no stage has to know another one to be
 * handed something by it.
 */
import type { Facts, Memory, Settings } from '../platform/driver.ts';
import type { Target } from '../platform/target.ts';

/** Who asked, in which dialect, and what for. Kept with the action and shown by `ar-exec list`. */
export interface Origin {
  readonly dialect: 'native' | 'ossec' | 'wazuh4' | 'wazuh5' | 'alert' | 'recovered';
  /** A person, a manager's node, a script: what the request says of itself. */
  readonly by?: string | undefined;
  /** Why, in words; for an alert its rule's description. */
  readonly reason?: string | undefined;
  readonly ruleId?: string | undefined;
  readonly alertId?: string | undefined;
  /** A person insisted, though it is never blocked: it is not let go for that. */
  readonly forced?: true | undefined;
}

/**
 * One `add` or `delete`, normalised from any dialect, its data not yet checked.
 *
 * `timeoutSeconds` absent = held until deleted. `managerLine` is the message as a manager's own
 * executable would have received it; it goes to active-responses.log. Of OSSEC it is the words of its
 * command line, the executable before them.
 */
export interface Request {
  readonly verb: 'add' | 'delete';
  readonly response: string;
  /** An address or a prefix. */
  readonly srcip?: string | undefined;
  /** A login name. */
  readonly user?: string | undefined;
  /** An absolute path. */
  readonly file?: string | undefined;
  readonly process?:
    | { readonly pid?: number | undefined; readonly executable?: string | undefined }
    | undefined;
  /** What an action of a script is found by, as `ar-exec list` shows it. */
  readonly key?: string | undefined;
  /** What else the alert says, for responses that want it. */
  readonly facts?: Facts | undefined;
  readonly timeoutSeconds?: number | undefined;
  readonly origin: Origin;
  readonly managerLine?: string | undefined;
  /** Whoever asks writes active-responses.log for this request; what comes of it later is ours. */
  readonly logged?: boolean | undefined;
  /** The address has to be a single host: it comes from data that a stranger can write. */
  readonly hostOnly?: boolean | undefined;
  /** Skips the never-block list; only the native dialect, behind the socket's permissions, has it. */
  readonly forceProtected?: boolean | undefined;
  /** Ends the record without touching the machine (`delete` only). */
  readonly forget?: boolean | undefined;
  /** Answers with the steps instead of taking them. */
  readonly dryRun?: boolean | undefined;
  /** Moves the end of what is held, and makes nothing new (`add` only). */
  readonly onlyHeld?: boolean | undefined;
}

/** `<command>`: a name that managers ask by, and what it stands for. */
export interface CommandDefinition {
  readonly name: string;
  /** A response's name, with or without an ending, or a file in the response folder. */
  readonly executable: string;
  /** Data that an alert has to carry for the command to make sense. */
  readonly expect: readonly ('srcip' | 'user' | 'filename')[];
  /** Somebody has written down what it expects, if only that this is nothing. */
  readonly statesExpect?: boolean;
  /** Whether it can be undone. */
  readonly timeoutAllowed: boolean;
  readonly extraArgs: readonly string[];
}

/** `<active-response>`: when and where a command runs. Every condition that is given has to hold. */
export interface ActiveResponse {
  readonly command: CommandDefinition;
  readonly disabled: boolean;
  /** Where, seen from the agent whose event raised the alert. */
  readonly location: 'local' | 'server' | 'defined-agent' | 'all';
  /** For `defined-agent`. */
  readonly agentIds: readonly string[];
  /** The lowest level of the rule. */
  readonly level?: number | undefined;
  /** Any of them. */
  readonly ruleGroups?: readonly string[] | undefined;
  /** Any of them. */
  readonly ruleIds?: readonly string[] | undefined;
  /** Absent = held until deleted. */
  readonly timeoutSeconds?: number | undefined;
}

/** What a manager's name for a response stands for here. */
export interface CommandMeaning {
  /** A response's name, or a file in the response folder. */
  readonly executable: string;
  /** Absent = held until deleted. */
  readonly timeoutSeconds?: number | undefined;
  readonly extraArgs?: readonly string[] | undefined;
}

/** The names by which managers ask: from `ar.conf`, and from `<command>` in the configuration. */
export interface Commands {
  /** What a name in a manager's message stands for; undefined when nothing here defines it. */
  find(name: string): CommandMeaning | undefined;
  /**
   * The seconds after which whatever an executable did is to be over at the latest; undefined when it
   * may have no end, or nothing is known. For those who ask without saying how long.
   */
  longest(executable: string): number | undefined;
}

/** Which driver, set up how: what an effect is undone with later. */
export interface Instance {
  readonly driver: string;
  readonly settings: Settings;
}

/** A request that policy let through, its data checked and its driver chosen. */
export interface Order {
  readonly verb: 'add' | 'delete';
  readonly response: string;
  readonly target: Target;
  readonly instance: Instance;
  readonly timeoutSeconds?: number | undefined;
  readonly facts?: Facts | undefined;
  readonly origin: Origin;
  readonly managerLine?: string | undefined;
  readonly logged?: boolean | undefined;
  readonly forget?: boolean | undefined;
  /** Repeated offenders are held for longer; absent where each time is like the first. */
  readonly escalation?: Escalation | undefined;
  /** If it fails, another driver is asked: nobody is told of the failure yet. */
  readonly tryElsewhere?: boolean | undefined;
  /** Deletes only what is due: a deadline may have moved since the order was made. */
  readonly onlyWhenDue?: boolean | undefined;
}

/** How an order that counts as an offence is answered. */
export interface Escalation {
  /** Seconds for the second, third … offence, the last of them for all that follow. Never empty. */
  readonly steps: readonly number[];
  /** So long without an offence, and the next one is a first one. */
  readonly forgetAfterMs: number;
  /** Whose offence it is: what is acted on. */
  readonly offender: string;
  /** How many messages the order stands for; each is an offence. */
  readonly messages: number;
  /** They were counted with an order before this one, which has failed. */
  readonly counted?: true | undefined;
}

/** How far a file that is followed has been read. */
export interface FollowedPosition {
  /** Its device and its number there; empty: there was no file. */
  readonly file: string;
  /** Bytes, up to the end of a line. */
  readonly offset: number;
  /** Of the bytes before that: another file can have the number of one that is gone. */
  readonly fingerprint: string;
}

/**
 * - `intended`: written down, not yet known to stand
 * - `active`: stands, and the journal says so
 * - `missing`: should stand and does not; it is being put back
 * - `reverting`: is to go, and has not been seen to be gone
 * - `reverted`, `failed`, `forgotten`: over (taken back; never stood; dropped by a person)
 * - `done`: over; a one-shot that was carried out, which nothing takes back
 *
 * A one-shot that is to be tried again is `intended` until then.
 */
export type ActionState =
  | 'intended'
  | 'active'
  | 'missing'
  | 'reverting'
  | 'reverted'
  | 'failed'
  | 'forgotten'
  | 'done';

/** The durable record of one accepted request. Times are milliseconds since 1970. */
export interface Action {
  readonly id: number;
  readonly response: string;
  readonly target: Target;
  readonly instance: Instance;
  readonly state: ActionState;
  readonly createdAt: number;
  /** When it is to be undone; absent = held until deleted. */
  readonly deadlineAt?: number | undefined;
  /** When somebody has to look at it again. Of a live one-shot, absent = it is being done. */
  readonly dueAt?: number | undefined;
  readonly endedAt?: number | undefined;
  readonly origin: Origin;
  /** What stood there before us does the work; it is left alone when the action ends. */
  readonly preExisting: boolean;
  /** Tries to revert it so far, and why the last one did not work. */
  readonly attempts: number;
  readonly trouble?: string | undefined;
  readonly managerLine?: string | undefined;
  /** What its effect is taken back with; see `Driver.examine`. */
  readonly memory?: Memory | undefined;
  readonly facts?: Facts | undefined;
}

/**
 * What an order comes to, given what is held already:
 * - `apply`: an effect has to be made, or its end moved (`standing`: it is known to be there;
 *   `uncertain`: it may be there or not, so look first)
 * - `keep`: it stands, and stands long enough
 * - `revert`: the effect has to go
 * - `release`: this action ends; the effect stays for others (`heldBy`) or was never ours
 * - `absent`: nothing is held that could be deleted, or it is no longer due
 * - `elsewhere`: another instance holds it, and the order is that one's; nothing was written down
 */
export type Intent =
  | {
      readonly kind: 'apply';
      readonly order: Order;
      readonly action: Action;
      /** There was no live action for this response and target. */
      readonly isNew: boolean;
      /** There was one, and it stood. */
      readonly refreshed: boolean;
      readonly standing: boolean;
      readonly uncertain: boolean;
      /** When the effect is to end, as the longest of its holders has it. */
      readonly endsAt?: number | undefined;
    }
  | { readonly kind: 'keep'; readonly order: Order; readonly action: Action }
  | { readonly kind: 'revert'; readonly order: Order; readonly action: Action }
  | {
      readonly kind: 'release';
      readonly order: Order;
      readonly action: Action;
      readonly heldBy: readonly string[];
    }
  | { readonly kind: 'absent'; readonly order: Order }
  | { readonly kind: 'elsewhere'; readonly order: Order; readonly action: Action };

/** What became of an action; members that are absent stay as they are. */
export interface Change {
  readonly id: number;
  readonly state: ActionState;
  readonly preExisting?: boolean | undefined;
  readonly trouble?: string | undefined;
  /** When to look at it again, for states that are not over. */
  readonly dueAt?: number | undefined;
  /** Another try did not work. */
  readonly triedAgain?: boolean | undefined;
  /** It is being done now; nobody has to look at it before that is over (`intended` only). */
  readonly begun?: boolean | undefined;
}

/** An effect that the machine holds and no action explains: it gets one. */
export interface Adoption {
  readonly response: string;
  readonly target: Target;
  readonly memory?: Memory | undefined;
  readonly instance: Instance;
  readonly deadlineAt?: number | undefined;
  readonly reason: string;
}

/** What became of an order, as it is told to whoever asked. */
export type Outcome =
  | { readonly kind: 'active'; readonly action: Action; readonly refreshed: boolean }
  | { readonly kind: 'reverted'; readonly action: Action; readonly stillHeldBy: readonly string[] }
  | { readonly kind: 'forgotten'; readonly action: Action }
  /** A one-shot was carried out. */
  | { readonly kind: 'done'; readonly action: Action }
  /** A one-shot did not come about yet, or not now; it is written down and tried again. */
  | { readonly kind: 'waiting'; readonly action: Action; readonly nextAt: number };

/** What the configuration says of the other side of a notification; read when it is needed. */
export interface Endpoint {
  /** Where to, if that is a secret. */
  readonly url?: string | undefined;
  /** What it is told by whose wish it acts: a token, a password, keys with spaces between them. */
  readonly token?: string | undefined;
  /** The address of a proxy; empty: none. Absent: the environment's. */
  readonly proxy?: string | undefined;
  /** Certificates in PEM that are trusted besides. */
  readonly certificates?: string | undefined;
  readonly allowHttp?: boolean | undefined;
}

/** Rejects, with a reason without anything secret in it, when what is configured cannot be read. */
export type Endpoints = (notification: string) => Promise<Endpoint>;
