/** What is fuzzed: something that takes the bytes of a stranger. */
export interface FuzzTarget {
  readonly name: string;
  /** How its inputs are built, for mutations that keep them in shape now and then. */
  readonly shape: 'json' | 'xml' | 'text';
  /** What inputs of it are made of. */
  readonly words: readonly string[];
  /** Takes an input; throws if anything but a result or an honest refusal comes of it. */
  run(input: Buffer): void;
}

/** What came of an input is not what is promised. */
class Broken extends Error {
  override readonly name = 'Broken';
}

export function claim(holds: boolean, what: string): asserts holds {
  if (!holds) throw new Broken(what);
}
