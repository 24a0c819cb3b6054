import type { Question, Usability } from '../driver.ts';

/** Whether Windows can be asked by its own calls, which this needs; `how` is what it does then. */
export function nativeCalls(how: string): Question<Usability> {
  return {
    steps: [{ kind: 'native-calls' }],
    read: ([answer]) =>
      answer !== undefined && answer.failure === undefined
        ? { usable: true, why: how, families: [] }
        : { usable: false, why: answer?.stderr || 'no native calls', families: [] },
  };
}
