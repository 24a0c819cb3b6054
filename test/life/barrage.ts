/**
 * Packets without a pause: from every address that is blocked, and from one that is not, which shows that
 * the way was open all the while.
 */
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { address, type Machine } from './machine.ts';

export interface Barrage {
  /** What came through so far. */
  count(): Promise<Counted>;
  stop(): Promise<void>;
}

export interface Counted {
  /** Packets that came from addresses that are blocked, and some of these addresses. */
  readonly blocked: number;
  readonly examples: readonly string[];
  /** Packets that came from the other one, and the longest pause between two of them. */
  readonly open: number;
  readonly longestPauseMs: number;
}

const port = 7_900;

/** `open` is not among `blocked`. Resolves when packets come through from it. */
export async function startBarrage(
  machine: Machine,
  blocked: readonly string[],
  open: string,
): Promise<Barrage> {
  const start = (words: readonly string[], name: string, input: object) => {
    const [command = '', ...args] = words;
    const script = fileURLToPath(new URL(name, import.meta.url));
    const child = execa(command, [...args, process.execPath, script, JSON.stringify(input)], {
      reject: false,
      buffer: false,
      stderr: 'inherit',
    });
    return child;
  };
  const receiver = start(machine.inside(), 'receive-packets.ts', { port, open });
  const lines = createInterface({ input: receiver.stdout })[Symbol.asyncIterator]();
  await lines.next();
  const sender = start(machine.outside(), 'send-packets.ts', { port, address, blocked, open });
  const count = async (): Promise<Counted> => {
    receiver.stdin.write('count\n');
    const { value } = await lines.next();
    return JSON.parse(value ?? '{}');
  };
  const sent = createInterface({ input: sender.stdout })[Symbol.asyncIterator]();
  await sent.next();
  return {
    count,
    stop: async () => {
      sender.kill('SIGKILL');
      receiver.kill('SIGKILL');
      await Promise.all([sender, receiver]);
    },
  };
}
