import { createHash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';

/** So much is read, hashed and written between two turns of the event loop. */
const chunkBytes = 1024 * 1024;

export class TookTooLong extends Error {}

export interface Hashes {
  readonly sha256: string;
  /** Absent if nobody wants to know. */
  readonly sha1?: string | undefined;
  readonly size: number;
}

/**
 * Reads a file from its beginning to its end, hashes it, and writes it to another one if there is one.
 * `until` is a time of `performance.now()`; later it throws TookTooLong.
 */
export async function readBytes(
  from: FileHandle,
  until: number,
  also: { readonly to?: FileHandle; readonly sha1?: boolean } = {},
): Promise<Hashes> {
  const sha256 = createHash('sha256');
  const sha1 = also.sha1 === true ? createHash('sha1') : undefined;
  const buffer = Buffer.allocUnsafe(chunkBytes);
  let size = 0;
  for (;;) {
    if (performance.now() > until)
      throw new TookTooLong('the file is too large for the time limit');
    const { bytesRead } = await from.read(buffer, 0, chunkBytes, size);
    if (bytesRead === 0) break;
    const chunk = buffer.subarray(0, bytesRead);
    sha256.update(chunk);
    sha1?.update(chunk);
    if (also.to !== undefined) await writeAll(also.to, chunk, size);
    size += bytesRead;
  }
  return { sha256: sha256.digest('hex'), sha1: sha1?.digest('hex'), size };
}

async function writeAll(to: FileHandle, chunk: Buffer, position: number): Promise<void> {
  for (let done = 0; done < chunk.length; ) {
    done += (await to.write(chunk, done, chunk.length - done, position + done)).bytesWritten;
  }
}
