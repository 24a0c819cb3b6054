/**
 * What execd answers on its socket for requests, byte for byte (Wazuh source: src/os_execd/wcom.c). The
 * manager's API asks it for its configuration before every active response, and the agent's own
 * programs have it restart the agent, or keep it from being restarted.
 */
import type { ManagerQueue } from './datagram.ts';

export interface ComServices {
  readonly manager: ManagerQueue;
  /** Whether active responses are turned off, and what repeated offenders get, in seconds. */
  config(): { readonly disabled: boolean; readonly repeatedOffenderSeconds: readonly number[] };
  /** Has the manager's agent restarted, unless that is locked. Does not wait for it. */
  restart(): void;
  /** Keeps it from being restarted for so many seconds. */
  lockRestart(seconds: number): void;
  /** Unpacks a file of an upgrade; see system/incoming.ts. */
  unpack(command: 'unmerge' | 'uncompress', names: readonly string[]): Promise<Unpacked>;
}

/** What came of unpacking a file. */
type Unpacked = 'done' | 'bad-name' | 'no-source' | 'no-target' | 'unreadable';

/** execd.max_restart_lock of upstream's internal options: 600 seconds. */
const longestLockSeconds = 600;

/** The answers that need time come later. */
export function answerCom(request: string, services: ComServices): string | Promise<string> {
  const space = request.indexOf(' ');
  const command = space === -1 ? request : request.slice(0, space);
  const rest = space === -1 ? undefined : request.slice(space + 1);
  switch (command) {
    case 'getconfig':
      return rest === undefined ? 'err WCOM getconfig needs arguments' : section(rest, services);
    case 'lock_restart':
      return lock(rest, services);
    case 'unmerge':
    case 'uncompress':
      return unpack(command, rest, services);
    case 'restart':
    case 'restart-wazuh':
    case 'reload':
      // With 5.0 that is asked of another program.
      if (services.manager === 'wazuh5') break;
      services.restart();
      return 'ok ';
  }
  return 'err Unrecognized command';
}

/** There are two spaces before the object. */
function section(name: string, { config }: ComServices): string {
  const { disabled, repeatedOffenderSeconds } = config();
  const minutes = repeatedOffenderSeconds.map((seconds) => Math.round(seconds / 60));
  const sections: Record<string, object> = {
    'active-response': {
      'active-response': {
        disabled: disabled ? 'yes' : 'no',
        ...(minutes.length === 0 ? {} : { repeated_offenders: minutes }),
      },
    },
    internal: { internal: { execd: { request_timeout: 0, max_restart_lock: 0 } } },
    logging: { logging: { plain: 'yes', json: 'no' } },
  };
  if (!Object.hasOwn(sections, name)) return 'err Could not get requested section';
  return `ok  ${JSON.stringify(sections[name])}`;
}

/** Numbers are read as C's atoi reads them: text is 0, which is no lock. */
function lock(given: string | undefined, { lockRestart }: ComServices): string {
  const seconds = given === undefined ? -2 : Number.parseInt(given, 10) || 0;
  if (seconds < -1) return 'err Invalid timeout';
  lockRestart(seconds === -1 ? longestLockSeconds : Math.min(seconds, longestLockSeconds));
  return 'ok ';
}

const unpacked = {
  unmerge: {
    done: 'ok ',
    'bad-name': 'err Invalid file name',
    'no-source': 'err Cannot unmerge file',
    'no-target': 'err Cannot unmerge file',
    unreadable: 'err Cannot unmerge file',
  },
  uncompress: {
    done: 'ok ',
    'bad-name': 'err Invalid file name',
    'no-source': 'err Unable to open source',
    'no-target': 'err Unable to open target',
    unreadable: 'err Unable to read source',
  },
} as const;

/** Prepares an upgrade of the manager's agent (WPK). */
function unpack(
  command: 'unmerge' | 'uncompress',
  rest: string | undefined,
  services: ComServices,
): string | Promise<string> {
  if (rest === undefined) return `err WCOM ${command} needs arguments`;
  const space = rest.indexOf(' ');
  if (command === 'unmerge') return unpackNow(command, [rest], services);
  if (space === -1) return 'err Too few commands';
  return unpackNow(command, [rest.slice(0, space), rest.slice(space + 1)], services);
}

async function unpackNow(
  command: 'unmerge' | 'uncompress',
  names: readonly string[],
  services: ComServices,
): Promise<string> {
  return unpacked[command][await services.unpack(command, names)];
}
