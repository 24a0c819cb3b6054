/** What .deb files are packed with. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { promisify } from 'node:util';
import { zstdCompress } from 'node:zlib';

export interface Packing {
  /** What a name ends with. */
  readonly ending: '.xz' | '.zst';
  pack(bytes: Buffer): Promise<Buffer>;
}

/**
 * xz, which every dpkg takes, and which is a tenth smaller than zstd here. Blocks of 64 MiB are packed side by
 * side; the number of threads does not show in the result as long as it is more than one.
 */
const xz = (level: number): Packing => ({
  ending: '.xz',
  pack: async (bytes) => {
    const options = [`-${level}`, '--block-size=64MiB', '--threads=2', '--check=crc64'];
    const xz = spawn('xz', ['--stdout', ...options]);
    const out: Buffer[] = [];
    let said = '';
    xz.stdout.on('data', (chunk: Buffer) => out.push(chunk));
    xz.stderr.on('data', (chunk: Buffer) => {
      said += String(chunk);
    });
    xz.stdin.end(bytes);
    const [status] = await once(xz, 'close');
    if (status !== 0) throw new Error(`xz: ${said}`);
    return Buffer.concat(out);
  },
});

/** For what is published. */
export const small = xz(9);
/** In half the time; what is small enough with it is with the other, too. */
export const medium = xz(3);

/** For packages that live for a test. dpkg takes it since 1.21.18. */
export const quick: Packing = { ending: '.zst', pack: promisify(zstdCompress) };
