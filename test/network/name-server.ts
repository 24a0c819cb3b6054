/**
 * A name server at an address of a namespace, as a process of its own: `name-server.ts ADDRESS FILE`.
 * Every question for an address of a machine is answered with what stands in the file just then; the
 * name does not matter. It prints a line when it listens.
 */
import { createSocket } from 'node:dgram';
import { readFileSync } from 'node:fs';

const [, , address = '', file = ''] = process.argv;
/** One question, of type A and class IN (RFC 1035, 4.1). */
const typeA = 1;
const answered = 0x8180;

const socket = createSocket('udp4');
socket.on('message', (asked, { port, address: from }) => {
  const nameEnd = asked.indexOf(0, 12) + 1;
  const type = asked.readUInt16BE(nameEnd);
  const question = asked.subarray(12, nameEnd + 4);
  const ip = readFileSync(file, 'utf8').trim();
  const header = Buffer.from(asked.subarray(0, 12));
  header.writeUInt16BE(answered, 2);
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(type === typeA ? 1 : 0, 6);
  header.writeUInt32BE(0, 8);
  // The name of the question, type, class, no time to live, four bytes.
  const record = [0xc0, 12, 0, typeA, 0, 1, 0, 0, 0, 0, 0, 4, ...ip.split('.').map(Number)];
  const answer = type === typeA ? Buffer.from(record) : Buffer.alloc(0);
  socket.send(Buffer.concat([header, question, answer]), port, from);
});
socket.bind(53, address, () => process.stdout.write('listens\n'));
