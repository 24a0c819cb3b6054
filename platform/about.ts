/** What drivers say to people: of themselves, and of the machine. */

/** What a driver or a one-shot is, for people: the tables of docs/responses.md are made of it. */
export interface About {
  /** The operating systems that it is for: `Linux`, `FreeBSD`, `macOS`, `Windows` … */
  readonly systems: readonly string[];
  /** What it runs or changes to make an effect, or to do its one thing, in a few words. */
  readonly add: string;
  /** The same for taking an effect back; a one-shot has none. */
  readonly remove?: string;
  /** The elements of the configuration that change what it does. */
  readonly options: readonly string[];
}

/**
 * Something about this machine that a person should know; `ar-exec doctor` tells it:
 * - `ok`: it is as it should be
 * - `note`: worth knowing, and nothing has to be done
 * - `warning`: something may not act, or not as one would think
 * - `problem`: something does not act
 */
export interface Finding {
  /** Its name, in kebab case: the same wherever it is found, and never another thing. */
  readonly id: string;
  readonly level: 'ok' | 'note' | 'warning' | 'problem';
  /** What was found, one sentence. */
  readonly what: string;
  /** Why that matters. */
  readonly why?: string | undefined;
  /** What to do about it, with the very command where there is one. */
  readonly remedy?: string | undefined;
  /** Tools whose installation is the remedy: how that is done is added where the system is known. */
  readonly missing?: readonly string[] | undefined;
}
