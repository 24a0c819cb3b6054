import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import type { ReadProgramStep, StepResult } from '../../platform/step.ts';
import { neededLibraries } from './elf.ts';

/** Far larger than any daemon; what is longer is not read. */
const largestProgramBytes = 64 * 1024 * 1024;

/** Answers with JSON: `{"needed": […], "mentions": […]}`; nothing where there is no such file. */
export async function readProgram({ path, words }: ReadProgramStep): Promise<StepResult> {
  const bytes = await readBounded(path);
  if (bytes === undefined) return { stdout: '', stderr: '' };
  const needed = neededLibraries(bytes);
  if (needed === undefined) {
    return { failure: 'io', stdout: '', stderr: `${path} is not a program that can be read` };
  }
  const mentions = words.filter((word) => bytes.includes(word));
  return { stdout: JSON.stringify({ needed, mentions }), stderr: '' };
}

async function readBounded(path: string): Promise<Buffer | undefined> {
  try {
    await using handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const found = await handle.stat();
    if (!found.isFile()) throw new Error(`${path} is not a plain file`);
    if (found.size > largestProgramBytes) throw new Error(`${path} is too long to be a program`);
    return await handle.readFile();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
