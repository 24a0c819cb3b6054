import { currentSystem } from './config/default-paths.ts';
import { pipeName } from './intake/pipe.ts';
import { type HeldPipe, holdPipe } from './system/windows/pipe.ts';

/**
 * Looks who listens at the agent's path, before a word is said there. Only Windows lets everybody listen
 * under any name that is free; the folder of a Unix socket belongs to who made it.
 */
export async function holdAgent(path: string): Promise<HeldPipe> {
  const name = currentSystem() === 'win32' ? pipeName(path) : undefined;
  return name === undefined ? { release: () => {} } : holdPipe(name);
}
