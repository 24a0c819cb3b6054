/**
 * Transcripts of real tools (test/fixtures/transcripts), in the form
 *
 *     $ pfctl -t blk -T add 203.0.113.5
 *       out| what it printed
 *       err| what it complained of
 *       [rc=0]
 */
import { readFileSync } from 'node:fs';

export interface Exchange {
  /** As it was typed, its words with single spaces between them. */
  readonly command: string;
  readonly stdout: string;
  readonly stderr: string;
  readonly exitCode: number;
  readonly line: number;
}

export function readTranscript(name: string): Exchange[] {
  const url = new URL(`../fixtures/transcripts/${name}`, import.meta.url);
  const exchanges: { command: string; out: string[]; err: string[]; rc: number; line: number }[] =
    [];
  for (const [index, line] of readFileSync(url, 'utf8').split('\n').entries()) {
    const last = exchanges.at(-1);
    if (line.startsWith('$ '))
      exchanges.push({ command: line.slice(2), out: [], err: [], rc: 0, line: index + 1 });
    else if (line.startsWith('  out| ')) last?.out.push(line.slice(7));
    else if (line.startsWith('  err| ')) last?.err.push(line.slice(7));
    else if (line.startsWith('  [rc=')) {
      if (last !== undefined) last.rc = Number(/-?\d+/.exec(line)?.[0]);
    } else if (last !== undefined && line !== '' && !line.startsWith('#')) {
      throw new Error(`${name}:${index + 1}: ${line}`);
    }
  }
  const text = (lines: readonly string[]) => lines.map((line) => `${line}\n`).join('');
  return exchanges.map(({ command, out, err, rc, line }) => {
    return { command, stdout: text(out), stderr: text(err), exitCode: rc, line };
  });
}
