import { stat } from 'node:fs/promises';
import { isSea } from 'node:sea';

/**
 * Whether a tool is this executable, under the tool's name: it would be asked to do what it is asking for.
 * By its size, which no tool has: a copy is another file.
 */
export async function isOurselves(
  file: string,
  own: string | undefined = isSea() ? process.execPath : undefined,
): Promise<boolean> {
  if (own === undefined) return false;
  const [tool, self] = await Promise.all([stat(file), stat(own)]);
  return tool.size === self.size;
}
