/** Holds messages in memory until they are carried out, so that whoever sends them need not wait. */

export interface Queue {
  /** Takes a message, or drops it if there is no room. */
  put(message: Buffer): void;
  /** Messages that are not carried out yet. */
  size(): number;
  /** Resolves when each message that was put has been handed over. */
  handedOver(): Promise<void>;
}

export interface QueueOptions {
  readonly limits: { readonly messages: number; readonly bytes: number };
  /** Is called before some messages are handed over. */
  prepare(): Promise<void>;
  /** Resolves when the message is carried out. Never rejects. */
  handle(message: Buffer): Promise<void>;
  /** Messages were dropped because there was no room. */
  onDropped(messages: number): void;
}

/** So many at a time; what else there is to do has its turn in between. */
const inOneTurn = 64;
/** How often a person is told that messages are dropped. */
const tellEveryMs = 10_000;

export function createQueue({ limits, prepare, handle, onDropped }: QueueOptions): Queue {
  let waiting: Buffer[] = [];
  /** Those that wait, and those that are being carried out. */
  let messages = 0;
  let bytes = 0;
  let working: Promise<void> | undefined;
  let dropped = 0;
  let toldAt = Number.NEGATIVE_INFINITY;

  const begin = (message: Buffer): void => {
    void handle(message).finally(() => {
      messages -= 1;
      bytes -= message.length;
    });
  };
  const work = async (): Promise<void> => {
    while (waiting.length > 0) {
      await prepare();
      const batch = waiting;
      waiting = [];
      for (let from = 0; from < batch.length; from += inOneTurn) {
        if (from > 0) await prepare();
        for (const message of batch.slice(from, from + inOneTurn)) begin(message);
        await new Promise((resolve) => setImmediate(resolve));
      }
    }
    working = undefined;
  };
  const drop = (): void => {
    dropped += 1;
    const now = performance.now();
    if (now < toldAt + tellEveryMs) return;
    toldAt = now;
    onDropped(dropped);
    dropped = 0;
  };

  return {
    put: (message) => {
      if (messages >= limits.messages || bytes + message.length > limits.bytes) {
        drop();
        return;
      }
      messages += 1;
      bytes += message.length;
      waiting.push(message);
      working ??= work();
    },
    size: () => messages,
    handedOver: async () => {
      await working;
    },
  };
}
