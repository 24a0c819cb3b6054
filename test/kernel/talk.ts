/** Connections between namespaces that stay open, and can be asked whether they still carry anything. */
import { once } from 'node:events';
import { execa, type ResultPromise } from 'execa';

export interface Talk {
  /** Sends a line and waits for its echo. */
  alive(): Promise<boolean>;
  /** Resolves when this side learns that it is over. */
  readonly over: Promise<void>;
  close(): void;
}

/** What was started in namespaces, to be ended together. */
export interface Talks {
  /** Starts an echo service in a namespace, and waits until it listens. */
  serve(namespace: string, listen: string): Promise<void>;
  /** Opens a connection from a namespace; `address` as socat takes it. */
  open(namespace: string, address: string): Promise<Talk>;
  close(): Promise<void>;
}

const patienceMs = 1_500;

export function createTalks(): Talks {
  const started: ResultPromise[] = [];
  const namespaces = new Set<string>();
  const start = (namespace: string, argv: readonly string[]) => {
    const child = execa('ip', ['netns', 'exec', namespace, 'socat', ...argv], {
      reject: false,
      buffer: false,
    });
    namespaces.add(namespace);
    started.push(child as unknown as ResultPromise);
    return child;
  };
  return {
    serve: async (namespace, listen) => {
      const child = start(namespace, ['-d', '-d', listen, 'PIPE']);
      await new Promise<void>((resolve, reject) => {
        child.stderr.on('data', (chunk: Buffer) => {
          // A datagram service says nothing else when it is ready.
          if (/listening|receiving/.test(String(chunk))) resolve();
        });
        void child.then(() => reject(new Error(`no service ${listen}`)));
      });
    },
    open: async (namespace, address) => {
      // A link that was made a moment ago can refuse the first packets.
      const patient = address.startsWith('TCP') ? `${address},retry=10,interval=0.1` : address;
      const child = start(namespace, ['-', patient]);
      let heard = '';
      let isOver = false;
      const over = (async () => {
        await child;
        isOver = true;
      })();
      child.stdout.on('data', (chunk: Buffer) => {
        heard += String(chunk);
      });
      // One that was reset cannot be written to.
      child.stdin.on('error', () => {});
      let count = 0;
      return {
        alive: async () => {
          count += 1;
          const line = `line ${count}\n`;
          child.stdin.write(line);
          const patience = AbortSignal.timeout(patienceMs);
          while (!heard.includes(line) && !patience.aborted && !isOver) {
            const data = once(child.stdout, 'data', { signal: patience });
            await Promise.race([data, over]).catch(() => {});
          }
          return heard.includes(line);
        },
        over,
        close: () => child.kill('SIGKILL'),
      };
    },
    close: async () => {
      // What a service forked for a connection that was cut off waits for its other side for ever.
      for (const namespace of namespaces) await killAll(namespace);
      await Promise.all(started);
    },
  };
}

/** Ends everything that runs in a namespace of ours. */
async function killAll(namespace: string): Promise<void> {
  const { stdout } = await execa('ip', ['netns', 'pids', namespace], { reject: false });
  for (const pid of stdout.split('\n').filter(Boolean)) {
    try {
      process.kill(Number(pid), 'SIGKILL');
    } catch {
      // It ended by itself.
    }
  }
}
