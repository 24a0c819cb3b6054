import { mkdir } from 'node:fs/promises';
import { win32 } from 'node:path';
import type { FolderHandle } from '../../quarantine/folder-handle.ts';
import { readAccess, whyUntrusted } from '../acl.ts';
import { holdFolder } from '../file-handle.ts';
import { ownSid } from '../tokens.ts';
import { closedList } from './closed-list.ts';

/** Windows, its administrators, and who made a thing. */
const insiders = ['S-1-5-18', 'S-1-5-32-544', 'S-1-3-0', 'S-1-3-4'];

/** Opens the quarantine folder of Windows; makes it, and shuts it, if there is none. */
export async function openWindowsFolder(path: string): Promise<FolderHandle> {
  const made = await mkdir(path, { recursive: true });
  const held = holdFolder(path);
  if (held === undefined) throw new Error(`${path} is not a folder`);
  try {
    if (held.isReparsePoint) throw new Error(`${path} is a link, not a folder`);
    if (made !== undefined) held.setSecurity(closedList(ownSid()));
    const own = ownSid();
    const access = readAccess(path);
    const why = whyUntrusted(access, ['content', 'place'], own);
    if (why !== undefined) throw new Error(`${path} ${why}`);
    const other = access.entries?.find(
      ({ allows, sid, mask }) => allows && mask !== 0 && sid !== own && !insiders.includes(sid),
    );
    if (other !== undefined) throw new Error(`others can look into ${path} (${other.sid})`);
  } catch (error) {
    held.close();
    throw error;
  }
  return {
    at: (name) => win32.join(path, name),
    // Windows writes the names of files down by itself; a folder cannot be told to.
    sync: async () => {},
    close: async () => held.close(),
  };
}
