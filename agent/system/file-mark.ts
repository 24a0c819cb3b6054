import { stat } from 'node:fs/promises';

/** Changes whenever what is there does: another file, or another content. */
export async function markOf(path: string): Promise<string> {
  try {
    const { dev, ino, size, mtimeNs, mode, uid } = await stat(path, { bigint: true });
    return [dev, ino, size, mtimeNs, mode, uid].join(' ');
  } catch {
    return 'nothing';
  }
}
