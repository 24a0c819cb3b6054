/**
 * active-responses.log, as a Wazuh agent's own executables write it, so that the decoders and rules
 * that a manager has (ar_log_json; 650 to 658) read what happened here.
 *
 * They take the received line (`command` add or delete, `parameters.program`) for the event. It is
 * therefore written once the response is in force or gone, and not at all when it failed: an alert
 * "Host Blocked" means that the host is blocked.
 */
import { constants } from 'node:fs';
import { appendFile, mkdir, open, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { addedLines, failedLines, removedLines } from './manager-lines.ts';

export interface ManagerLog {
  /**
   * `line` is what upstream's executable would have received, see manager-lines.ts. `key` is what it
   * is found by, absent for a one-shot; `driver` what carried it out, for an address.
   */
  added(line: string, key?: string, driver?: string): void;
  removed(line: string, key?: string, driver?: string): void;
  failed(line: string, why: string): void;
  /** Resolves when all that was handed over is written. */
  flush(): Promise<void>;
}

export function createManagerLog(file: string, onTrouble: (error: unknown) => void): ManagerLog {
  let waiting: string[] = [];
  let writing: Promise<void> | undefined;

  const write = async (): Promise<void> => {
    while (waiting.length > 0) {
      const text = waiting.join('');
      waiting = [];
      try {
        await append(file, text);
      } catch (error) {
        onTrouble(error);
      }
    }
  };
  const record = (text: string): void => {
    waiting.push(text);
    wake();
  };
  const wake = (): void => {
    writing ??= write().finally(() => {
      writing = undefined;
      // What came after the last look and before this moment has woken nobody.
      if (waiting.length > 0) wake();
    });
  };

  return {
    added: (line, key, driver) => record(addedLines(line, { key, driver }, new Date())),
    removed: (line, key, driver) => record(removedLines(line, { key, driver }, new Date())),
    failed: (line, why) => record(failedLines(line, why, new Date())),
    flush: async () => {
      while (writing !== undefined) await writing;
    },
  };
}

async function append(file: string, text: string): Promise<void> {
  try {
    await appendFile(file, text, { flag: constants.O_WRONLY | constants.O_APPEND });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    await create(file);
    await appendFile(file, text);
  }
}

/** The manager's agent reads it as a user of its own, by the group that its log folder has. */
async function create(file: string): Promise<void> {
  const folder = dirname(file);
  await mkdir(folder, { recursive: true, mode: 0o750 });
  const handle = await open(file, 'a', 0o640);
  try {
    await handle.chmod(0o640);
    await handle.chown(process.getuid?.() ?? 0, (await stat(folder)).gid);
  } finally {
    await handle.close();
  }
}
