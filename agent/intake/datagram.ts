/** Understands what a manager's agent sends to the queue of its execd. */
import { ArError } from '../errors.ts';
import type { Commands, Request } from '../words.ts';
import * as ossec from './dialects/ossec.ts';
import * as wazuh4 from './dialects/wazuh4.ts';
import * as wazuh5 from './dialects/wazuh5.ts';

/** Whose place is taken. */
export type ManagerQueue = 'wazuh4' | 'ossec' | 'wazuh5';

/** Of a datagram execd reads no more, the NUL at its end with it (Wazuh source: OS_MAXSTR, execd.c). */
const longestBytes = 65_535;
/** This one needs no `ar.conf` and no alert; a manager sends it to make its agent load anew. */
const restart = 'restart-wazuh';

/** Throws an ArError when it is refused. */
export function parseDatagram(bytes: Buffer, options: DatagramOptions): Request {
  if (bytes.length > longestBytes) {
    throw new ArError(
      'message-too-large',
      `a datagram of the manager's agent is longer than ${longestBytes} bytes`,
      'Nothing was done: the rest of it is lost.',
    );
  }
  const text = textOf(bytes);
  const request = isJson(text) ? fromJson(text, options.commands) : fromText(text, options);
  refusePath(request.response);
  return request;
}

interface DatagramOptions {
  readonly manager: ManagerQueue;
  readonly commands: Commands;
}

/** Up to the NUL that ends it, as C has it, and without line ends. */
function textOf(bytes: Buffer): string {
  const end = bytes.indexOf(0);
  const text = bytes.toString('utf8', 0, end === -1 ? bytes.length : end);
  // No expression that looks for the end of the text: it would begin anew at every line end in it.
  let length = text.length;
  while (length > 0 && /[\r\n]/.test(text.charAt(length - 1))) length -= 1;
  return text.slice(0, length);
}

function isJson(text: string): boolean {
  return /^\s*\{/.test(text);
}

function fromJson(text: string, commands: Commands): Request {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message.slice(0, 200) : String(cause);
    throw invalid(`it is not JSON: ${why}`, cause);
  }
  if (typeof value !== 'object' || value === null) throw invalid('it is not a JSON object');
  if (wazuh5.isWazuh5(value) && !wazuh4.isWazuh4(value)) return wazuh5.fromManager(value);
  if ('command' in value && value.command === restart) return restartOf('wazuh4');
  return wazuh4.fromManager(value, commands);
}

function fromText(text: string, { manager, commands }: DatagramOptions): Request {
  if (text === '') throw invalid('it is empty');
  if (manager === 'wazuh5') throw invalid('it is not a JSON object');
  return text === restart ? restartOf('ossec') : ossec.fromManager(text, commands);
}

function restartOf(dialect: 'wazuh4' | 'ossec'): Request {
  return { verb: 'add', response: restart, origin: { dialect } };
}

/** A name is looked for in one folder; upstream was led out of it more than once. */
function refusePath(name: string): void {
  if (!/[/\\]|^\.\.?$/.test(name)) return;
  throw invalid(`${JSON.stringify(name.slice(0, 100))} is a path, and only names are taken`);
}

function invalid(why: string, cause?: unknown): ArError {
  return new ArError(
    'message-invalid',
    `a message of the manager's agent: ${why}`,
    'docs/execd.md says what is understood.',
    cause === undefined ? undefined : { cause },
  );
}
