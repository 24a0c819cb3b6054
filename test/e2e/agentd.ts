/** Plays the part of a manager's agent towards what is in place of its execd. */
import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { execa } from 'execa';

/** Node has no datagram sockets of the family unix. As agentd does, each send waits for room. */
const sender = `
import base64, json, socket, sys, time
queue = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
queue.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 400000)
queue.connect(sys.argv[1])
messages = [base64.b64decode(one) for one in json.load(sys.stdin)]
longest = 0
began = time.monotonic()
for one in messages:
    before = time.monotonic()
    queue.send(one)
    longest = max(longest, time.monotonic() - before)
print(json.dumps({"longestMs": longest * 1000, "totalMs": (time.monotonic() - began) * 1000}))
`;

/** What a service manager does with a socket unit: opens it, says so, and becomes the service. */
const passer = `
import os, socket, sys
path, waiting, *program = sys.argv[1:]
queue = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
queue.bind(path)
first = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
first.connect(path)
first.send(waiting.encode())
first.close()
os.dup2(queue.fileno(), 3)
os.set_inheritable(3, True)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1", LISTEN_FDNAMES="ar-exec-execq")
os.execvp(program[0], program)
`;

/** Makes the folders of an agent's home that have to do with active responses. */
export async function createAgentFolders(home: string): Promise<void> {
  for (const folder of ['etc/shared', 'queue/alerts', 'queue/sockets', 'active-response/bin']) {
    await mkdir(join(home, folder), { recursive: true, mode: 0o755 });
  }
}

/** Sends datagrams, one after the other; resolves with how long that took, and the longest of them. */
export async function sendDatagrams(
  path: string,
  messages: readonly string[],
): Promise<{ readonly longestMs: number; readonly totalMs: number }> {
  const input = JSON.stringify(messages.map((one) => Buffer.from(one).toString('base64')));
  const { stdout } = await execa('python3', ['-c', sender, path], { input });
  return JSON.parse(stdout);
}

/** Words that stand before the executable: a queue is passed to it, and a message waits in it. */
export function passing(path: string, waiting: string): string[] {
  return ['python3', '-c', passer, path, waiting];
}

/** A request to execd's other socket. */
export async function askCom(path: string, request: string): Promise<string> {
  const text = Buffer.from(request);
  const frame = Buffer.concat([Buffer.alloc(4), text]);
  frame.writeUInt32LE(text.length);
  const socket = connect(path);
  const received: Buffer[] = [];
  socket.on('data', (bytes: Buffer) => received.push(bytes));
  socket.write(frame);
  await once(socket, 'close');
  const answer = Buffer.concat(received);
  if (answer.readUInt32LE(0) !== answer.length - 4) throw new Error('the length is wrong');
  return answer.toString('utf8', 4);
}

/** What a Wazuh manager 4.2 to 4.14 sends. */
export function wazuh4Message(command: string, srcip: string, more: object = {}): string {
  return JSON.stringify({
    version: 1,
    origin: { name: 'node01', module: 'wazuh-analysisd' },
    command,
    parameters: {
      extra_args: [],
      alert: { rule: { id: '5763', level: 10, description: 'test' }, data: { srcip }, ...more },
    },
  });
}

/** What a Wazuh manager 5.0 sends. */
export function wazuh5Message(executable: string, ip: string): string {
  const order = { name: executable, executable, type: 'stateful', stateful_timeout: 600 };
  return JSON.stringify({
    wazuh: { active_response: { ...order, location: 'local', agent_id: '001' } },
    event: { id: '1' },
    source: { ip },
  });
}
