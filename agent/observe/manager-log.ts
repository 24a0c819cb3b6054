/**
 * active-responses.log, as a Wazuh agent's own executables write it, so that the decoders and rules
 * that a manager has (ar_log_json; 650 to 658) read what happened here.
 *
 * They take the received line (`command` add or delete, `parameters.program`) for the event. It is
 * therefore written once the response is in force or gone, and not at all when it failed: an alert
 * "Host Blocked" means that the host is blocked.
 */
import { constants } from 'node:fs';
import { appendFile, mkdir, open, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { hideAddresses } from './hide-addresses.ts';

export interface ManagerLog {
  /** `line` is what upstream's executable would have received (compact JSON, `command` "add"). */
  added(line: string, key: string): void;
  removed(line: string): void;
  failed(line: string, why: string): void;
  /** Resolves when all that was handed over is written. */
  flush(): Promise<void>;
}

export function createManagerLog(file: string, onTrouble: (error: unknown) => void): ManagerLog {
  let waiting: string[] = [];
  let writing: Promise<void> | undefined;

  const write = async (): Promise<void> => {
    while (waiting.length > 0) {
      const text = waiting.join('');
      waiting = [];
      try {
        await append(file, text);
      } catch (error) {
        onTrouble(error);
      }
    }
  };
  const record = (program: string, lines: readonly string[]): void => {
    const stamp = timestamp(new Date());
    waiting.push(lines.map((line) => `${stamp} ${program}: ${line}\n`).join(''));
    wake();
  };
  const wake = (): void => {
    writing ??= write().finally(() => {
      writing = undefined;
      // What came after the last look and before this moment has woken nobody.
      if (waiting.length > 0) wake();
    });
  };

  return {
    added: (received, key) => {
      const line = withoutSecrets(received);
      const program = programOf(line);
      record(program, [
        'Starting',
        `${line}\n`,
        handshake(program, key),
        `${withCommand(line, 'continue')}\n`,
        'Ended',
      ]);
    },
    removed: (received) => {
      const line = withoutSecrets(received);
      const program = programOf(line);
      record(program, ['Starting', `${withCommand(line, 'delete')}\n`, 'Ended']);
    },
    failed: (line, why) => {
      const program = programOf(line);
      record(program, ['Starting', oneLine(why), 'Ended']);
    },
    flush: async () => {
      while (writing !== undefined) await writing;
    },
  };
}

async function append(file: string, text: string): Promise<void> {
  try {
    await appendFile(file, text, { flag: constants.O_WRONLY | constants.O_APPEND });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    await create(file);
    await appendFile(file, text);
  }
}

/** The manager's agent reads it as a user of its own, by the group that its log folder has. */
async function create(file: string): Promise<void> {
  const folder = dirname(file);
  await mkdir(folder, { recursive: true, mode: 0o750 });
  const handle = await open(file, 'a', 0o640);
  try {
    await handle.chmod(0o640);
    await handle.chown(process.getuid?.() ?? 0, (await stat(folder)).gid);
  } finally {
    await handle.close();
  }
}

/** `%d/%02d/%02d %02d:%02d:%02d`, local time. */
function timestamp(date: Date): string {
  const two = (number: number): string => String(number).padStart(2, '0');
  const day = [date.getFullYear(), two(date.getMonth() + 1), two(date.getDate())].join('/');
  const time = [date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(':');
  return `${day} ${time}`;
}

function programOf(line: string): string {
  return (JSON.parse(line) as { parameters: { program: string } }).parameters.program;
}

function handshake(program: string, key: string): string {
  return JSON.stringify({
    version: 1,
    origin: { name: program.slice(program.lastIndexOf('/') + 1), module: 'active-response' },
    command: 'check_keys',
    parameters: { keys: [key] },
  });
}

/** Whoever may read the log must not learn where a webhook is. No decoder looks at the arguments. */
function withoutSecrets(line: string): string {
  if (!/"extra_args":(?!\[\]|null)/.test(line)) return line;
  const message = JSON.parse(line) as { parameters: { extra_args?: unknown } };
  const extraArgs = hideAddresses(message.parameters.extra_args);
  const parameters = { ...message.parameters, extra_args: extraArgs };
  return JSON.stringify({ ...message, parameters });
}

function withCommand(line: string, command: string): string {
  return JSON.stringify({ ...(JSON.parse(line) as object), command });
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ');
}
