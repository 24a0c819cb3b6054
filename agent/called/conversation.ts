/**
 * The conversation of execd with an executable, Wazuh 4.2 to 5.0, in the words and with the log lines
 * of upstream's own (docs/compatibility.md):
 *
 *   execd  {…,"command":"add",…}
 *   we     {…,"command":"check_keys","parameters":{"keys":["203.0.113.7"]}}
 *   execd  {…,"command":"continue",…}      or abort, where it is in force already
 *
 * To take back there is one line, and no answer. The work itself is the agent's.
 */
import { hideAddresses } from '../observe/hide-addresses.ts';
import type { Reply } from './ask-agent.ts';
import type { CallLog } from './log.ts';
import { type Line, refusalAfterKeys, subjectIn, understand } from './message.ts';
import type { Called } from './name.ts';
import { tell } from './outcome.ts';

/** What a call does to the world around it. */
export interface Door {
  readonly log: CallLog;
  /** The next line, its end included; undefined when none comes. */
  readLine(): Promise<Buffer | undefined>;
  /** To standard output. */
  print(text: string): void;
  /** The agent, or what does its work where there is none. */
  ask(request: object): Promise<Reply>;
}

/** What upstream's executables return for what they do not take: -1. */
export const refusedStatus = 255;

const verbs: Readonly<Record<string, 'add' | 'delete'>> = {
  '4 add': 'add',
  '4 delete': 'delete',
  '5 enable': 'add',
  '5 disable': 'delete',
};

/** Resolves with the exit status. */
export async function converse(called: Called, door: Door): Promise<number> {
  const { log } = door;
  const refuse = (why: string): number => {
    log.line(why);
    return refusedStatus;
  };

  log.line('Starting');
  const line = await readMessage(door);
  if (typeof line === 'string') return refuse(line);
  const verb = verbs[`${line.version} ${line.command}`];
  if (verb === undefined) return refuse("Invalid value of 'command'");
  const { keys, refusal } = { keys: undefined, ...subjectIn(line, called) };
  if (refusal !== undefined) return refuse(refusal);
  if (verb === 'add' && keys !== undefined) {
    sendKeys(called, keys, door);
    const answer = await readMessage(door);
    if (typeof answer === 'string') return refuse(answer);
    if (answer.command === 'abort') {
      log.line('Aborted');
      // What is held ends later now; what is not held stays as it is. No outcome is of use to execd.
      if (called.foreign === undefined) {
        await door.ask(callOf(called, { ...line.message, command: 'abort' }));
      }
      return 0;
    }
    if (answer.command !== 'continue') return refuse("Invalid value of 'command'");
  }
  const late = refusalAfterKeys(line, called);
  if (late !== undefined) return refuse(late);
  if (called.foreign !== undefined) {
    for (const said of called.foreign.lines) log.line(said);
    return called.foreign.status;
  }
  return act(line, verb, { called, door, key: keys?.[0] });
}

/** The next line, logged and understood, or what is wrong with it. */
async function readMessage({ readLine, log }: Door): Promise<Line | string> {
  const bytes = await readLine();
  if (bytes === undefined) return 'Cannot read input from stdin';
  const line = understand(bytes);
  log.line(line === undefined ? bytes : withoutSecrets(bytes, line));
  return line ?? 'Invalid input format';
}

function sendKeys({ name }: Called, keys: readonly string[], { log, print }: Door): void {
  const message = JSON.stringify({
    version: 1,
    origin: { name, module: 'active-response' },
    command: 'check_keys',
    parameters: { keys },
  });
  log.line(message);
  print(`${message}\n`);
}

function callOf({ known }: Called, message: object): object {
  return { id: 1, command: 'call', program: known, message };
}

async function act(
  { message, version }: Line,
  verb: 'add' | 'delete',
  { called, door, key }: { called: Called; door: Door; key: string | undefined },
): Promise<number> {
  const reply = await door.ask(callOf(called, message));
  const method = version === 5 && called.name === 'block-ip';
  const { lines, done } = tell(reply, { verb, method, key });
  for (const line of lines) door.log.line(line);
  if (!done) return refusedStatus;
  door.log.line('Ended');
  return 0;
}

/** Whoever may read the log must not learn where a webhook is. Everything else stays byte for byte. */
function withoutSecrets(bytes: Buffer, { message, version }: Line): Uint8Array | string {
  if (!bytes.includes('"extra_arg')) return bytes;
  const hidden = JSON.stringify(message, (name, value) =>
    name === (version === 4 ? 'extra_args' : 'extra_arguments') ? hideAddresses(value) : value,
  );
  return hidden === JSON.stringify(message) ? bytes : `${hidden}\n`;
}
