/** Who may go next: one at a time for what has the same name, and so many scripts at once. */
export interface Turns {
  /** Resolves, in the order of asking, with the function that lets the next one go. */
  lock(name: string): Promise<() => void>;
  /**
   * The same for one of the places that scripts run in; taking back has places of its own, so that it
   * never waits for scripts that hang. Resolves with undefined once it is closed.
   */
  place(verb: 'add' | 'delete', script: string, atOnce: number): Promise<(() => void) | undefined>;
  /** How many wait for a place. */
  waiting(): number;
  /** Nobody gets a place any more. */
  close(): void;
}

/** `atOnce`: how many scripts run at a time in all, for each verb. */
export function createTurns(atOnce: number): Turns {
  const locks = new Map<string, Promise<void>>();
  const pools = { add: createPool(atOnce), delete: createPool(atOnce) };
  return {
    lock: async (name) => {
      const before = locks.get(name);
      let free: () => void = () => {};
      const mine = new Promise<void>((resolve) => {
        free = resolve;
      });
      locks.set(name, mine);
      await before;
      return () => {
        if (locks.get(name) === mine) locks.delete(name);
        free();
      };
    },
    place: (verb, script, own) => pools[verb].enter(script, own),
    waiting: () => pools.add.waiting() + pools.delete.waiting(),
    close: () => {
      pools.add.close();
      pools.delete.close();
    },
  };
}

interface Line {
  running: number;
  readonly atOnce: number;
  readonly waiting: ((leave: (() => void) | undefined) => void)[];
}

/** A busy script has a line of its own: it keeps nobody else out, as long as there are places. */
function createPool(atOnce: number) {
  const lines = new Map<string, Line>();
  let running = 0;
  let closed = false;

  const next = (): void => {
    for (const [script, line] of lines) {
      while (running < atOnce && line.running < line.atOnce) {
        const enter = line.waiting.shift();
        if (enter === undefined) break;
        running += 1;
        line.running += 1;
        enter(leaver(script, line));
      }
    }
  };

  const leaver = (script: string, line: Line) => (): void => {
    running -= 1;
    line.running -= 1;
    lines.delete(script);
    // Behind the others: each script has its turn.
    if (line.running > 0 || line.waiting.length > 0) lines.set(script, line);
    next();
  };

  return {
    enter: (script: string, own: number): Promise<(() => void) | undefined> =>
      new Promise((resolve) => {
        if (closed) {
          resolve(undefined);
          return;
        }
        const line = lines.get(script) ?? { running: 0, atOnce: own, waiting: [] };
        lines.set(script, line);
        line.waiting.push(resolve);
        next();
      }),
    waiting: () => [...lines.values()].reduce((sum, line) => sum + line.waiting.length, 0),
    close: () => {
      closed = true;
      for (const { waiting } of lines.values()) {
        for (const enter of waiting.splice(0)) enter(undefined);
      }
    },
  };
}
