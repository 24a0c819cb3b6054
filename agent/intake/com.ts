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
  /** A request was not carried out though upstream would. */
  onRefused(request: string): void;
}

/** execd.max_restart_lock of upstream's internal options: 600 seconds. */
const longestLockSeconds = 600;

export function answerCom(request: string, services: ComServices): string {
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

/**
 * These prepared an upgrade of the agent with Wazuh 3; since then its own module does that (Wazuh
 * source: wazuh_modules/agent_upgrade). They write files by a stranger's names, and are refused.
 */
function unpack(command: string, rest: string | undefined, services: ComServices): string {
  if (rest === undefined) return `err WCOM ${command} needs arguments`;
  if (command === 'uncompress' && !rest.includes(' ')) return 'err Too few commands';
  services.onRefused(command);
  const names = command === 'uncompress' ? rest.split(' ') : [rest];
  if (names.some((name) => name.includes('..'))) return 'err Invalid file name';
  return command === 'unmerge' ? 'err Cannot unmerge file' : 'err Unable to open source';
}
