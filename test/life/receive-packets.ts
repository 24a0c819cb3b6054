/** Counts datagrams by whose they are. Answers every line that it is sent with what it has counted. */
import { createSocket } from 'node:dgram';
import { createInterface } from 'node:readline';

const { port, open } = JSON.parse(process.argv[2] ?? '{}');
const examples = new Set<string>();
let blocked = 0;
let opened = 0;
let longestPauseMs = 0;
let lastAt: number | undefined;

const socket = createSocket('udp4');
socket.on('message', (_, { address }) => {
  if (address !== open) {
    blocked += 1;
    if (examples.size < 10) examples.add(address);
    return;
  }
  const now = performance.now();
  if (lastAt !== undefined) longestPauseMs = Math.max(longestPauseMs, now - lastAt);
  lastAt = now;
  opened += 1;
});
socket.bind(port, () => process.stdout.write('ready\n'));

createInterface({ input: process.stdin }).on('line', () => {
  const counted = { blocked, examples: [...examples], open: opened, longestPauseMs };
  process.stdout.write(`${JSON.stringify(counted)}\n`);
});
