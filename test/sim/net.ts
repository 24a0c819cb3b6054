/**
 * net.exe: `user NAME /active:yes|no`, `user /?`, `start` and `stop` of a service. What it says is in the
 * language of the machine, and its status tells no more than that something was not to its liking.
 * Parts: `accounts`, a list; `services`, name → state. Switches: `language`, `denied`, `ignored`,
 * `stuck` and `broken` (services that do not stop, or do not start).
 */
import type { Answer, Call, Parts, Simulator } from './simulator.ts';

export interface SimAccount {
  readonly name: string;
  readonly rid: number;
  disabled: boolean;
  readonly groups: readonly { readonly name: string; readonly sid: string }[];
}

export function accountsOf(parts: Parts): SimAccount[] {
  parts['accounts'] ??= [];
  return parts['accounts'] as SimAccount[];
}

export function servicesOf(parts: Parts): Record<string, number> {
  parts['services'] ??= {};
  return parts['services'] as Record<string, number>;
}

const texts = {
  en: {
    done: 'The command completed successfully.',
    nobody: 'The user name could not be found.',
    denied: 'System error 5 has occurred.\r\n\r\nAccess is denied.',
    syntax: 'The syntax of this command is:\r\n\r\nNET USER\r\n[username [password | *] [options]]',
    noService: 'The service name is invalid.',
    running: 'The requested service has already been started.',
    stopped: 'The % service is not started.',
    stuck: 'The service could not be stopped.',
    broken: 'The % service could not be started.',
  },
  de: {
    done: 'Der Befehl wurde erfolgreich ausgeführt.',
    nobody: 'Der Benutzername konnte nicht gefunden werden.',
    denied: 'Systemfehler 5 aufgetreten.\r\n\r\nZugriff verweigert',
    syntax: 'Syntax dieses Befehls:\r\n\r\nNET USER\r\n[Benutzername [Kennwort | *] [Optionen]]',
    noService: 'Der Dienstname ist ungültig.',
    running: 'Der angeforderte Dienst wurde bereits gestartet.',
    stopped: 'Der Dienst % wurde nicht gestartet.',
    stuck: 'Der Dienst konnte nicht beendet werden.',
    broken: 'Der Dienst % konnte nicht gestartet werden.',
  },
} as const;

export const simulate: Simulator = (call, parts) => {
  const [verb, name = '', ...rest] = call.args;
  if (verb === 'user') return user(call, parts, name, rest);
  if (verb === 'stop' || verb === 'start') return service(call, parts, { verb, name, rest });
  return unknown(call);
};

function user(call: Call, parts: Parts, name: string, rest: readonly string[]): Answer {
  const say = words(call);
  if (name === '/?' && rest.length === 0) return print(0, say.syntax);
  const active = rest.length === 1 ? /^\/active:(yes|no)$/.exec(rest[0] ?? '')?.[1] : undefined;
  if (active === undefined || name.startsWith('/')) return unknown(call);
  if (call.switches['denied'] === true) return print(2, '', say.denied);
  const found = accountsOf(parts).find((one) => one.name.toLowerCase() === name.toLowerCase());
  if (found === undefined) {
    return print(2, '', `${say.nobody}\r\n\r\nMore help is available by typing NET HELPMSG 2221.`);
  }
  if (call.switches['ignored'] !== true) found.disabled = active === 'no';
  return print(0, say.done);
}

interface Asked {
  readonly verb: 'start' | 'stop';
  readonly name: string;
  readonly rest: readonly string[];
}

function service(call: Call, parts: Parts, { verb, name, rest }: Asked): Answer {
  const services = servicesOf(parts);
  const say = words(call);
  const known = Object.keys(services).find((one) => one.toLowerCase() === name.toLowerCase());
  if (rest.some((word) => verb === 'start' || word !== '/y')) return unknown(call);
  if (known === undefined) return print(2, '', say.noService);
  const isListed = (list: string): boolean =>
    (call.switches[list] as readonly string[] | undefined)?.includes(known) === true;
  if (verb === 'stop') {
    if (services[known] === 1) return print(2, '', say.stopped.replace('%', known));
    if (isListed('stuck')) return print(2, '', say.stuck);
    services[known] = 1;
    return print(0, say.done);
  }
  if (services[known] === 4) return print(2, '', say.running);
  if (isListed('broken')) return print(2, '', say.broken.replace('%', known));
  services[known] = 4;
  return print(0, say.done);
}

function words({ switches }: Call): Record<keyof (typeof texts)['en'], string> {
  return texts[switches['language'] === 'de' ? 'de' : 'en'];
}

function print(exitCode: number, stdout: string, stderr = ''): Answer {
  const text = (said: string): string => (said === '' ? '' : `${said}\r\n\r\n`);
  return { exitCode, stdout: text(stdout), stderr: text(stderr) };
}

function unknown({ args }: Call): Answer {
  return print(99, '', `simulator: not known: net ${args.join(' ')}`);
}
