import type {
  CommandStep,
  QuarantineStep,
  StepResult,
  TidyQuarantineStep,
} from '../../../platform/step.ts';
import { examineWindowsFile } from '../windows/quarantine/examine-file.ts';
import { putBackWindowsFile } from '../windows/quarantine/put-back-file.ts';
import { takeWindowsFile } from '../windows/quarantine/take-file.ts';
import { examineFile } from './examine-file.ts';
import { isSameFile, statOf } from './file-state.ts';
import { putBackFile } from './put-back-file.ts';
import { TookTooLong } from './read-bytes.ts';
import { inTurn, listStore, openStore } from './store.ts';
import { takeFile } from './take-file.ts';

/** Carries out what has to do with a quarantine folder; one after the other what changes it. */
export async function runQuarantine(
  step: QuarantineStep,
  runCommand: (step: CommandStep) => Promise<StepResult>,
): Promise<StepResult> {
  try {
    switch (step.kind) {
      case 'examine-file':
        return said(await (isWindows(step) ? examineWindowsFile(step) : examineFile(step)));
      case 'list-quarantine':
        return said(await inTurn(step.path, () => listStore(step.path)));
      case 'take-file':
        await inTurn(step.folder, () =>
          isWindows(step) ? takeWindowsFile(step) : takeFile(step, runCommand),
        );
        return said({});
      case 'put-back-file':
        await inTurn(step.folder, () =>
          isWindows(step) ? putBackWindowsFile(step) : putBackFile(step, runCommand),
        );
        return said({});
      case 'tidy-quarantine':
        await inTurn(step.path, () => tidy(step));
        return said({});
    }
  } catch (error) {
    const failure = error instanceof TookTooLong ? 'timeout' : 'io';
    const why = error instanceof Error ? error.message : String(error);
    return { failure, stdout: '', stderr: why };
  }
}

function isWindows({ system }: { readonly system?: 'win32' }): boolean {
  return system === 'win32';
}

async function tidy({ path, names }: TidyQuarantineStep): Promise<void> {
  const store = await openStore(path);
  try {
    // Asked again: what was left over may be in use by now.
    const { leftovers } = await listStore(path);
    for (const name of names) {
      if (!leftovers.includes(name)) continue;
      // Cut off after the file was put back: a second name of it may be here, and nothing else is.
      const moved = await statOf(store.path(name, 'moved'));
      const state = (await store.read(name))?.state;
      if (state !== undefined && isSameFile(moved, state)) await store.remove(name, 'moved');
      await store.remove(name, 'part');
      await store.remove(name, 'intent', 'json');
    }
  } finally {
    await store.close();
  }
}

function said(answer: object): StepResult {
  return { stdout: JSON.stringify(answer), stderr: '' };
}
