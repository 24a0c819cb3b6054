import type { Step, StepResult } from './step.ts';

/** Something to ask the machine, and a pure function that understands the answers. */
export interface Question<Answer> {
  readonly steps: readonly Step[];
  /** `results[i]` answers `steps[i]`. Never throws. */
  read(results: readonly StepResult[]): Answer;
}

/** A question whose first answers can lead to others. */
export interface Inquiry<Answer> extends Question<Answer> {
  /** What is to be asked besides, by the answers to `steps`; its results stand behind those for `read`. */
  more?(results: readonly StepResult[]): readonly Step[];
}
