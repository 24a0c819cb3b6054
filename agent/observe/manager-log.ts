/**
 * active-responses.log, as a Wazuh agent's own executables write it, so that the decoders and rules
 * that a manager has (ar_log_json; 650 to 658) read what happened here.
 *
 * They take the received line (`command` add or delete, `parameters.program`) for the event. It is
 * therefore written once the response is in force or gone, and not at all when it failed: an alert
 * "Host Blocked" means that the host is blocked.
 */
import { createLineFile } from './line-file.ts';
import { addedLines, failedLines, removedLines } from './manager-lines.ts';

export interface ManagerLog {
  /**
   * `line` is what upstream's executable would have received, see manager-lines.ts. `key` is what it
   * is found by, if anything; `driver` what carried it out, for an address.
   */
  added(line: string, key?: string, driver?: string): void;
  removed(line: string, key?: string, driver?: string): void;
  failed(line: string, why: string): void;
  /** Resolves when all that was handed over is written, or cannot be. */
  flush(): Promise<void>;
}

export function createManagerLog(file: string, onTrouble: (error: unknown) => void): ManagerLog {
  const { append, flush } = createLineFile(file, onTrouble);
  return {
    added: (line, key, driver) => append(addedLines(line, { key, driver }, new Date())),
    removed: (line, key, driver) => append(removedLines(line, { key, driver }, new Date())),
    failed: (line, why) => append(failedLines(line, why, new Date())),
    flush,
  };
}
