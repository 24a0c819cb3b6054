/** Sends datagrams from many addresses in turn, for ever. Says a line after the first round. */
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';

const { port, address, blocked, open } = JSON.parse(process.argv[2] ?? '{}');

async function from(source: string): Promise<Socket> {
  const socket = createSocket('udp4');
  // A block may be one that answers.
  socket.on('error', () => {});
  socket.bind(0, source);
  await once(socket, 'listening');
  return socket;
}

const sockets: Socket[] = [];
for (const source of blocked) sockets.push(await from(source));
const free = await from(open);
const atOnce = 50;

for (let round = 0; ; round += 1) {
  for (let index = 0; index < sockets.length; index += 1) {
    sockets[index]?.send('.', port, address);
    if (index % atOnce !== 0) continue;
    free.send('.', port, address);
    await sleep(1);
  }
  if (sockets.length === 0) free.send('.', port, address);
  if (round === 0) process.stdout.write('sent\n');
}
