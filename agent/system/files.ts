import type { EditBlockStep, ReadFileStep, StepResult } from '../../platform/driver.ts';

export async function readFileStep(_step: ReadFileStep): Promise<StepResult> {
  throw new Error('not written yet');
}

export async function editBlock(_step: EditBlockStep): Promise<StepResult> {
  throw new Error('not written yet');
}
