/** Gives out what was begun under a name in the order in which it was begun, whatever took longer. */
export type InOrder = <Result>(name: string, work: Promise<Result>) => Promise<Result>;

export function createInOrder(): InOrder {
  const last = new Map<string, Promise<unknown>>();
  return async (name, work) => {
    const before = last.get(name);
    const over = Promise.allSettled([before, work]);
    last.set(name, over);
    try {
      await before;
      return await work;
    } finally {
      if (last.get(name) === over) last.delete(name);
    }
  };
}
