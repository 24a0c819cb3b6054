import type { ArError } from '../errors.ts';
import type { Request } from '../words.ts';

/** What somebody wants of the agent. */
export type Ask =
  | { readonly kind: 'act'; readonly request: Request }
  | { readonly kind: 'list'; readonly which: 'live' | 'ended'; readonly limit: number }
  /** An alert, for the configuration to say what follows from it. */
  | { readonly kind: 'alert'; readonly alert: object; readonly dryRun: boolean }
  /** How the breaker is; it is closed first, if somebody says so. */
  | { readonly kind: 'breaker'; readonly close: boolean }
  | { readonly kind: 'reload' }
  | { readonly kind: 'status' };

/** One line, understood. Without an id it is answered in its turn. */
export interface Message {
  readonly id?: string | number | undefined;
  readonly ask: Ask;
}

/** A line that could not be understood, with its id if that much could be. */
export interface Refused {
  readonly id?: string | number | undefined;
  readonly error: ArError;
}
