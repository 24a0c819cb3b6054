/**
 * Has a process number given to a second process, and tries to end the first one by it. Runs as a
 * program of its own in a pid namespace, where the next number can be chosen.
 */
import { writeFileSync } from 'node:fs';
import { execa } from 'execa';
import { endProcess } from '../../agent/system/end-process.ts';
import { openProcess } from '../../agent/system/process-handle.ts';

const executable = process.argv[2] ?? '';
const start = () => execa(executable, ['1000'], { reject: false });

const first = start();
const pid = first.pid as number;
const handle = openProcess(pid);
const seen = await handle?.look();
const startedBefore = Date.now();
first.kill('SIGKILL');
await first;
// The kernel counts in hundredths of a second.
await new Promise((resolve) => setTimeout(resolve, 150));
let second = start();
for (let tries = 0; second.pid !== pid && tries < 100; tries += 1) {
  second.kill('SIGKILL');
  await second;
  writeFileSync('/proc/sys/kernel/ns_last_pid', String(pid - 1));
  second = start();
}
const step = {
  kind: 'end-process',
  pid,
  executable,
  graceMs: 0,
  family: false,
  never: [],
} as const;
const answer = {
  sameNumber: second.pid === pid,
  seenAtFirst: seen !== undefined,
  seenByHandle: await handle?.look(),
  signalByHandle: handle?.signal('SIGKILL'),
  meantTheFirst: JSON.parse((await endProcess({ ...step, startedBefore })).stdout),
  secondRan: (await openProcess(pid)?.look())?.ended === false,
  meantTheSecond: JSON.parse((await endProcess(step)).stdout),
};
process.stdout.write(JSON.stringify(answer));
await second;
