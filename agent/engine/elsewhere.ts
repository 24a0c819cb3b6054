import type { Instance, Intent } from '../words.ts';

/** What an order is about is held by another instance: the order belongs to that one's desk. */
export class HeldElsewhere extends Error {
  readonly instance: Instance;

  constructor(instance: Instance) {
    super(`it is held by ${instance.driver}`);
    this.name = 'HeldElsewhere';
    this.instance = instance;
  }
}

/** Intents as a lane hands them out: an order that is not for here is rejected, with its holder. */
export function orElsewhere(intents: readonly Intent[]): (Intent | HeldElsewhere)[] {
  return intents.map((intent) =>
    intent.kind === 'elsewhere' ? new HeldElsewhere(intent.action.instance) : intent,
  );
}
