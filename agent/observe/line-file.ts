/**
 * A file that lines are appended to, and that others may append to, rename, truncate or delete at any
 * time: it is opened anew whenever there is something to write, and each record goes out in one
 * write(2) with O_APPEND, which Linux does not mix with others.
 */
import { constants } from 'node:fs';
import { type FileHandle, mkdir, open, stat } from 'node:fs/promises';
import { dirname } from 'node:path';

export interface LineFile {
  /** One or more whole lines. Never waits, never throws. */
  append(record: string): void;
  /** Resolves when all that was handed over is written, or the disk has just said no. */
  flush(): Promise<void>;
}

/** Records are joined to writes of about this many characters. */
const writeLength = 65_536;
/**
 * So many characters wait for a disk that does not take them, or that has not come to them in a burst;
 * what is more is lost, and told. 20,000 responses at once are some 50 million characters.
 */
const waitingAtMost = { refused: 16 * 1_048_576, burst: 64 * 1_048_576 };
const pausesMs = [1_000, 2_000, 5_000, 10_000, 30_000];

const { O_WRONLY, O_APPEND, O_CREAT, O_NOFOLLOW, O_NONBLOCK } = constants;
/**
 * The folder can be another user's, who must not be able to lead a root process to another file, nor
 * to have it wait for a pipe's reader.
 */
const flags = O_WRONLY | O_APPEND | O_NOFOLLOW | O_NONBLOCK;

/** `onTrouble` is told once when it begins, and once when it is over, if anything was lost. */
export function createLineFile(file: string, onTrouble: (error: unknown) => void): LineFile {
  let waiting: string[] = [];
  let waitingLength = 0;
  let lost = 0;
  let isTorn = false;
  let failures = 0;
  let retry: NodeJS.Timeout | undefined;
  let writing: Promise<void> | undefined;

  const writeAll = async (): Promise<void> => {
    let handle: FileHandle | undefined;
    try {
      handle = await openOrCreate(file);
      while (waiting.length > 0) await writeSome(handle);
      succeeded();
    } catch (error) {
      failed(error);
    } finally {
      await handle?.close().catch(() => {});
    }
  };

  const writeSome = async (handle: FileHandle): Promise<void> => {
    const records = takeSome();
    const begin = isTorn ? '\n' : '';
    const bytes = Buffer.from(begin + records.join(''));
    let written = 0;
    try {
      written = (await handle.write(bytes)).bytesWritten;
      isTorn = isTorn && written === 0;
    } finally {
      if (written < bytes.length) putBack(records, written - begin.length);
    }
  };

  const takeSome = (): string[] => {
    let count = 0;
    let length = 0;
    while (count < waiting.length && (count === 0 || length < writeLength)) {
      length += waiting[count]?.length ?? 0;
      count += 1;
    }
    waitingLength -= length;
    return waiting.splice(0, count);
  };

  /** A full disk takes a part: the record that was cut off is written once more, as a whole. */
  const putBack = (records: readonly string[], written: number): void => {
    let end = 0;
    const rest = records.filter((record) => {
      end += Buffer.byteLength(record);
      return end > written;
    });
    const whole = records.slice(0, records.length - rest.length).join('');
    if (written > Buffer.byteLength(whole)) isTorn = true;
    waiting = [...rest, ...waiting];
    waitingLength += rest.reduce((sum, { length }) => sum + length, 0);
  };

  const succeeded = (): void => {
    failures = 0;
    if (lost > 0) onTrouble(new Error(`${lost} records are lost: they were too many to wait`));
    lost = 0;
  };

  const failed = (error: unknown): void => {
    if (failures === 0) onTrouble(error);
    const pause = pausesMs[Math.min(failures, pausesMs.length - 1)];
    failures += 1;
    clearTimeout(retry);
    retry = setTimeout(() => {
      retry = undefined;
      wake();
    }, pause).unref();
  };

  const wake = (): void => {
    writing ??= writeAll().finally(() => {
      writing = undefined;
      // What came after the last look and before this moment has woken nobody.
      if (waiting.length > 0 && retry === undefined) wake();
    });
  };

  const forgetRetry = (): void => {
    clearTimeout(retry);
    retry = undefined;
  };

  return {
    append: (record) => {
      const limit = failures === 0 ? waitingAtMost.burst : waitingAtMost.refused;
      if (waitingLength + record.length > limit) {
        lost += 1;
        return;
      }
      waiting.push(record);
      waitingLength += record.length;
      if (retry === undefined) wake();
    },
    flush: async () => {
      await writing;
      forgetRetry();
      if (waiting.length > 0) wake();
      while (writing !== undefined) await writing;
      forgetRetry();
    },
  };
}

async function openOrCreate(file: string): Promise<FileHandle> {
  try {
    const handle = await open(file, flags);
    const found = await handle.stat();
    if (found.isFile() && found.nlink === 1) return handle;
    await handle.close();
    // A second name can be that of a file which only root may write to.
    throw new Error(`${file} is not a file with one name: nothing is written to it`);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    return create(file);
  }
}

/** A manager's agent reads it as a user of its own, by the group that its log folder has. */
async function create(file: string): Promise<FileHandle> {
  const folder = dirname(file);
  await mkdir(folder, { recursive: true, mode: 0o750 });
  const handle = await open(file, flags | O_CREAT, 0o640);
  try {
    await handle.chmod(0o640);
    await handle.chown(process.getuid?.() ?? 0, (await stat(folder)).gid);
    return handle;
  } catch (error) {
    await handle.close();
    throw error;
  }
}
