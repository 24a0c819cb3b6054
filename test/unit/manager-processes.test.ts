import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { sendersOf } from '../../agent/system/manager-processes.ts';

let home: string;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'ar-exec-senders-'));
});
afterEach(() => rm(home, { recursive: true }));

const note = async (name: string, text: string): Promise<void> => {
  await mkdir(join(home, 'var/run'), { recursive: true });
  await writeFile(join(home, 'var/run', name), text);
};

it('finds nobody where no agent is', async () => {
  expect(await sendersOf(home)).toEqual([]);
});

it('finds who lives, under each name, and tells it from a later process', async () => {
  const child = spawn('sleep', ['60']);
  await once(child, 'spawn');
  await note(`wazuh-agentd-${child.pid}.pid`, `${child.pid}\n`);
  await note(`ossec-analysisd-${process.pid}.pid`, `${process.pid}\n`);
  await note(`wazuh-execd-${process.pid}.pid`, `${process.pid}\n`);
  await note('wazuh-agentd-1.pid', '../../etc/passwd\n');
  const found = await sendersOf(home);
  expect(found.map((mark) => mark.split(':')[0]).sort()).toEqual(
    [String(child.pid), String(process.pid)].sort(),
  );
  for (const mark of found) expect(mark).toMatch(/^\d+:\d+$/);
  child.kill();
  await once(child, 'exit');
  expect((await sendersOf(home)).map((mark) => mark.split(':')[0])).toEqual([String(process.pid)]);
});
