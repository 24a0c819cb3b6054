/**
 * sc.exe, net.exe start and stop, reg.exe and icacls.exe of Windows, as far as an installation calls them;
 * from Microsoft's pages on each. It refuses what they refuse, and keeps what they keep. The words come to
 * it as CreateProcess hands them on: one line, taken apart again as Windows' C library does.
 */
import type { Runner, StepResult } from '../../platform/step.ts';

interface Service {
  readonly [option: string]: string;
}

export interface WindowsMachine {
  readonly services: Map<string, Service & { running?: string }>;
  readonly registry: Map<string, Map<string, string>>;
  /** What each folder grants, and whether it inherits. */
  readonly rights: Map<string, { owner?: string; granted: string[]; inherits: boolean }>;
  /** How a start goes. */
  starts: 'well' | 'badly';
  readonly ran: string[][];
  readonly run: Runner;
}

interface Answer {
  readonly code: number;
  readonly text: string;
}

const done: Answer = { code: 0, text: '[SC] SUCCESS' };
const refuse = (code: number, text: string): Answer => ({ code, text });

export function windowsMachine(folders: ReadonlySet<string>): WindowsMachine {
  const machine: WindowsMachine = {
    services: new Map(),
    registry: new Map(),
    rights: new Map(),
    starts: 'well',
    ran: [],
    run: async (step) => {
      if (step.kind !== 'command') throw new Error(`not played: ${step.kind}`);
      const argv = [step.tool, ...step.args];
      machine.ran.push(argv);
      const { code, text } = answer(machine, folders, argv);
      const result: StepResult = { stdout: text, stderr: '', exitCode: code };
      return code === 0 ? result : { ...result, failure: 'exit' };
    },
  };
  return machine;
}

function answer(machine: WindowsMachine, folders: ReadonlySet<string>, argv: string[]): Answer {
  const [tool, ...words] = argv;
  switch (tool) {
    case 'sc.exe':
      return sc(machine, words);
    case 'net.exe':
      return net(machine, words);
    case 'reg.exe':
      return reg(machine, words);
    case 'icacls.exe':
      return icacls(machine, folders, words);
    default:
      throw new Error(`no such tool: ${tool}`);
  }
}

const options = ['type=', 'start=', 'error=', 'binPath=', 'obj=', 'DisplayName='];
const values: Readonly<Record<string, readonly string[]>> = {
  'type=': ['own'],
  'start=': ['auto', 'demand', 'disabled', 'delayed-auto'],
  'error=': ['normal', 'ignore'],
};

function sc({ services }: WindowsMachine, [verb = '', name = '', ...rest]: string[]): Answer {
  const found = services.get(name);
  const usage = refuse(1_639, 'DESCRIPTION: … USAGE: …');
  if (verb === 'create' || verb === 'config') {
    const given = pairs(rest, options);
    if (given === undefined) return usage;
    if (verb === 'create' && given['binPath='] === undefined) return usage;
    if (verb === 'create' && found !== undefined) {
      return refuse(1_073, '[SC] CreateService FAILED 1073');
    }
    if (verb === 'config' && found === undefined) {
      return refuse(1_060, '[SC] OpenService FAILED 1060');
    }
    services.set(name, { ...found, ...given });
    return done;
  }
  if (found === undefined) return refuse(1_060, '[SC] OpenService FAILED 1060');
  switch (verb) {
    case 'description':
      services.set(name, { ...found, description: rest[0] ?? '' });
      return rest.length <= 1 ? done : usage;
    case 'failure': {
      const given = pairs(rest, ['reset=', 'actions=']);
      if (given === undefined || !/^\d+$/.test(given['reset='] ?? '')) return usage;
      if (!/^((restart|run|reboot)\/\d+\/?)+$/.test(given['actions='] ?? '')) return usage;
      services.set(name, { ...found, ...given });
      return done;
    }
    case 'delete':
      services.delete(name);
      return done;
    default:
      return usage;
  }
}

/** `start=` and its value are two words; anything else is refused. */
function pairs(
  words: readonly string[],
  known: readonly string[],
): Record<string, string> | undefined {
  const found: Record<string, string> = {};
  for (let at = 0; at < words.length; at += 2) {
    const [option = '', value] = words.slice(at, at + 2);
    if (!known.includes(option) || value === undefined) return undefined;
    if (values[option]?.includes(value) === false) return undefined;
    found[option] = value;
  }
  return found;
}

function net(machine: WindowsMachine, [verb, name = '', ...rest]: string[]): Answer {
  const { services, starts } = machine;
  const found = services.get(name);
  if (rest.length > 0) return refuse(1, 'The syntax of this command is: NET [ … ]');
  if (found === undefined) return refuse(2, 'The service name is invalid.');
  const isRunning = found.running === 'yes';
  if (verb === 'start') {
    if (isRunning) return refuse(2, 'The requested service has already been started.');
    if (starts === 'badly') return refuse(2, 'The service could not be started.');
    services.set(name, { ...found, running: 'yes' });
    return done;
  }
  if (verb === 'stop') {
    if (!isRunning) return refuse(2, 'The service is not started.');
    services.set(name, { ...found, running: 'no' });
    return done;
  }
  return refuse(1, 'The syntax of this command is: NET [ … ]');
}

function reg({ registry }: WindowsMachine, [verb, key = '', ...rest]: string[]): Answer {
  if (!/^HKLM\\/.test(key)) return refuse(1, 'ERROR: Invalid key name.');
  if (verb === 'delete') {
    if (rest.join(' ') !== '/f') return refuse(1, 'ERROR: Invalid syntax.');
    return registry.delete(key) ? done : refuse(1, 'ERROR: The system was unable to find it.');
  }
  const [v, name = '', t, type = '', d, data = '', f] = rest;
  const ok = verb === 'add' && v === '/v' && t === '/t' && d === '/d' && f === '/f';
  if (!ok || rest.length !== 7) return refuse(1, 'ERROR: Invalid syntax.');
  if (!['REG_SZ', 'REG_EXPAND_SZ', 'REG_DWORD'].includes(type)) {
    return refuse(1, 'ERROR: Invalid syntax.');
  }
  if (type === 'REG_DWORD' && !/^\d+$/.test(data)) return refuse(1, 'ERROR: Invalid syntax.');
  registry.set(key, (registry.get(key) ?? new Map()).set(name, data));
  return done;
}

function icacls(
  { rights }: WindowsMachine,
  folders: ReadonlySet<string>,
  [path = '', ...words]: string[],
): Answer {
  if (!folders.has(path)) return refuse(2, 'The system cannot find the file specified.');
  const found = rights.get(path) ?? { granted: ['*S-1-5-32-545:(OI)(CI)RX'], inherits: true };
  const sid = /^\*S-1(-\d+)+$/;
  for (let at = 0; at < words.length; at += 1) {
    const word = words[at];
    if (word === '/Q') continue;
    if (word === '/inheritance:r') {
      found.inherits = false;
      found.granted = [];
    } else if (word === '/setowner') {
      at += 1;
      if (!sid.test(words[at] ?? '')) return refuse(1_332, 'No mapping between account names');
      found.owner = words[at] ?? '';
    } else if (word === '/grant:r') {
      for (; /^\*S-1[-\d]+:/.test(words[at + 1] ?? ''); at += 1) {
        found.granted.push(words[at + 1] ?? '');
      }
    } else return refuse(87, `Invalid parameter "${word}"`);
  }
  rights.set(path, found);
  return done;
}
