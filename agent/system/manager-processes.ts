/** The processes of a manager's agent that send to its execd, by the files that they leave. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** agentd on an agent, analysisd on a manager: `var/run/wazuh-agentd-123.pid`. */
const pidFile = /^(?:wazuh|ossec)-(?:agentd|analysisd)-\d+\.pid$/;
/** proc(5): the time a process began is field 22 of its stat, the 20th behind its name. */
const startField = 19;

/** Those that live, each with a mark that tells it from a later one of the same number. */
export async function sendersOf(home: string): Promise<readonly string[]> {
  const folder = join(home, 'var/run');
  const names = await readdir(folder).catch(() => []);
  const found = names.filter((name) => pidFile.test(name)).slice(0, 16);
  const marks = await Promise.all(found.map((name) => markOf(join(folder, name))));
  return marks.flatMap((mark) => mark ?? []);
}

async function markOf(file: string): Promise<string | undefined> {
  const text = await readFile(file, 'utf8').catch(() => '');
  const pid = /^\s*(\d{1,10})\s*$/.exec(text)?.[1];
  if (pid === undefined) return undefined;
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
  if (stat === undefined) return undefined;
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return `${pid}:${fields[startField]}`;
}
