/**
 * The lines that a manager's own executables write into active-responses.log, as functions of what
 * they received. That comes in three kinds, all of them made by agent/intake/dialects: of Wazuh 4 a
 * JSON object with `parameters.program`, of Wazuh 5 one with `wazuh.active_response`, of OSSEC the
 * words that its script was started with. Nothing here throws, whatever the text is.
 */
import { cDate } from './c-date.ts';
import { hideAddresses } from './hide-addresses.ts';
import { inactiveLines } from './inactive.ts';

/** What was made of a request, for the lines that tell of it. */
export interface Made {
  /** By what it is found again; a restart has none, and no handshake then. */
  readonly key?: string | undefined;
  /** What carried it out, if it acts on an address; only Wazuh 5 has lines of it. */
  readonly driver?: string | undefined;
}

type Received =
  | {
      readonly kind: 'wazuh4' | 'wazuh5';
      readonly program: string;
      /** Without what nobody may read in a log. */
      readonly message: object;
      /** The message as a line, as it came wherever that can be. */
      readonly text: string;
    }
  | { readonly kind: 'ossec'; readonly program: string; readonly words: readonly string[] };

/** It is in force, or was carried out. */
export function addedLines(line: string, made: Made, at: Date): string {
  const received = read(line);
  if (received.kind === 'ossec') return argumentsLine(received, 'add', at);
  const { program, message, text } = received;
  const { key } = made;
  const handshake =
    key === undefined
      ? []
      : [checkKeysLine(program, key), `${JSON.stringify({ ...message, command: 'continue' })}\n`];
  return stamped(
    program,
    ['Starting', `${text}\n`, ...handshake, ...methodLines(received, made, 'blocked'), 'Ended'],
    at,
  );
}

/** It is gone. `key` is the address that was let go, for those that tell of it. */
export function removedLines(line: string, made: Made, at: Date): string {
  const received = read(line);
  if (received.kind === 'ossec') return argumentsLine(received, 'delete', at);
  const { program, message, kind } = received;
  const command = kind === 'wazuh5' ? 'disable' : 'delete';
  const text = `${JSON.stringify({ ...message, command })}\n`;
  const methods = methodLines(received, made, 'unblocked');
  return stamped(program, ['Starting', text, ...methods, 'Ended'], at);
}

/** It did not come about. There is no line in it that a manager's rule takes for a response. */
export function failedLines(line: string, why: string, at: Date): string {
  const { kind, program } = read(line);
  const reason = oneLine(why);
  if (kind !== 'ossec')
    return stamped(program, ['Starting', ...inactiveLines(reason), reason, 'Ended'], at);
  const name = program.slice(program.lastIndexOf('/') + 1);
  return `${cDate(at)} Unable to run active response (${name}: ${reason}).\n`;
}

/** `YYYY/MM/DD HH:MM:SS program: text`, local time, a line for each text. */
function stamped(program: string, texts: readonly string[], at: Date): string {
  const stamp = timestamp(at);
  return texts.map((text) => `${stamp} ${program}: ${text}\n`).join('');
}

/** With what an executable asks execd whether to go on. */
export function checkKeysLine(program: string, key: string): string {
  return JSON.stringify({
    version: 1,
    origin: { name: program.slice(program.lastIndexOf('/') + 1), module: 'active-response' },
    command: 'check_keys',
    parameters: { keys: [key] },
  });
}

/** The lines of Wazuh 5's block-ip (source, 5.0: src/active-response/src/block-ip). */
function methodLines(
  { kind }: Received,
  { driver, key }: Made,
  done: 'blocked' | 'unblocked',
): string[] {
  if (kind !== 'wazuh5' || driver === undefined || key === undefined) return [];
  return [
    `[INFO] Method=${driver} Action=start Details=Attempting method: ${driver} (lock=no)`,
    `[INFO] Method=${driver} Action=success Details=IP ${key} successfully ${done}`,
  ];
}

/** The script's name and five arguments: echo "`date` $0 $1 $2 $3 $4 $5". */
function argumentsLine(
  { program, words }: Extract<Received, { kind: 'ossec' }>,
  verb: 'add' | 'delete',
  at: Date,
): string {
  const shown = [0, 1, 2, 3].map((index) => words[index] ?? '');
  return `${cDate(at)} ${program} ${verb} ${shown.join(' ')}\n`;
}

function read(line: string): Received {
  if (!line.startsWith('{')) {
    const [program = '', , ...words] = line.split(' ').map(visible);
    return { kind: 'ossec', program: program === '' ? nameless : program, words };
  }
  const original = parse(line);
  const order = objectAt(objectAt(original, 'wazuh'), 'active_response');
  const parameters = objectAt(original, 'parameters');
  const program =
    order === undefined
      ? (textAt(parameters, 'program') ?? nameless)
      : `active-response/bin/${textAt(order, 'executable') ?? 'unknown'}`;
  const message =
    order === undefined ? withoutSecrets4(original, parameters) : withoutSecrets5(original, order);
  const asItCame = message === original && !/[\r\n]/.test(line);
  return {
    kind: order === undefined ? 'wazuh4' : 'wazuh5',
    program: visible(program),
    message,
    text: asItCame ? line : JSON.stringify(message),
  };
}

const nameless = 'active-response/bin/unknown';

/** Whoever may read the log must not learn where a webhook is. No decoder looks at the arguments. */
function withoutSecrets4(message: Json, parameters: Json | undefined): Json {
  const given = parameters?.['extra_args'];
  if (given === undefined || given === null || (Array.isArray(given) && given.length === 0)) {
    return message;
  }
  return { ...message, parameters: { ...parameters, extra_args: hideAddresses(given) } };
}

function withoutSecrets5(message: Json, order: Json): Json {
  if (typeof order['extra_arguments'] !== 'string') return message;
  const extra = hideAddresses(order['extra_arguments']);
  const wazuh = { ...objectAt(message, 'wazuh') };
  return { ...message, wazuh: { ...wazuh, active_response: { ...order, extra_arguments: extra } } };
}

type Json = Readonly<Record<string, unknown>>;

function parse(line: string): Json {
  try {
    return JSON.parse(line);
  } catch {
    return {};
  }
}

function objectAt(value: Json | undefined, name: string): Json | undefined {
  const found = value !== undefined && Object.hasOwn(value, name) ? value[name] : undefined;
  return typeof found === 'object' && found !== null ? (found as Json) : undefined;
}

function textAt(value: Json | undefined, name: string): string | undefined {
  const found = value !== undefined && Object.hasOwn(value, name) ? value[name] : undefined;
  return typeof found === 'string' ? found : undefined;
}

/** A decoder ends a word at a space, and a stranger's line break must not begin a line. */
function visible(word: string): string {
  return word.replace(/[\s\p{Cc}]/gu, '_');
}

function oneLine(text: string): string {
  return text.replace(/[\s\p{Cc}]+/gu, ' ').trim();
}

/** `%d/%02d/%02d %02d:%02d:%02d`, local time. */
export function timestamp(date: Date): string {
  const day = [date.getFullYear(), two(date.getMonth() + 1), two(date.getDate())].join('/');
  const time = [date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(':');
  return `${day} ${time}`;
}

function two(number: number): string {
  return String(number).padStart(2, '0');
}
