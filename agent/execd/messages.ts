/** What is done with a message that a manager's agent sends for its execd. */

import type { Composed } from '../compose.ts';
import { ArError, describeError } from '../errors.ts';
import { type ManagerQueue, parseDatagram } from '../intake/datagram.ts';
import type { Log } from '../observe/log.ts';
import type { Commands, Request } from '../words.ts';
import type { ArConf } from './ar-conf.ts';
import type { RestartLock } from './restart-lock.ts';

export interface Messages {
  /** To be called before some messages: they are understood by what `ar.conf` says now. */
  prepare(): Promise<void>;
  /** Resolves when it is carried out, or refused. Never rejects; who sent it gets no answer. */
  handle(bytes: Buffer): Promise<void>;
  /** Has the manager's agent restarted, unless that is locked. */
  restart(by: string): Promise<void>;
}

interface MessagesOptions {
  readonly composed: Pick<Composed, 'flow' | 'settled'>;
  readonly commands: Commands;
  readonly arConf: ArConf;
  readonly manager: ManagerQueue;
  readonly lock: RestartLock;
  readonly log: Log;
}

/** A name stands for executables of which this machine has none. */
interface Absent {
  readonly name: string;
  readonly executables: readonly string[];
}

export function createMessages(options: MessagesOptions): Messages {
  const { composed, commands, arConf, manager, lock, log } = options;
  const told = new Set<string>();
  /** What is told once at info is told at debug from then on. */
  const tellOnce = (key: string, facts: object, what: string): void => {
    log[told.has(key) ? 'debug' : 'info'](facts, what);
    if (told.size < 10_000) told.add(key);
  };

  /** Understands a message; undefined when a name in it is not known, and `ar.conf` may be newer. */
  const understand = (bytes: Buffer, last: boolean): Request | Absent | undefined => {
    let absent: Absent | undefined;
    let unknown = false;
    const find: Commands['find'] = (name) => {
      const found = commands.find(name);
      const executables = found === undefined ? arConf.absent(name) : undefined;
      if (executables !== undefined) absent = { name, executables };
      else if (found === undefined) {
        unknown = true;
        if (last && arConf.isThere()) throw unknownName(name);
        if (last) tellOnce('no ar.conf', {}, 'there is no ar.conf: names count as they are');
      }
      return found;
    };
    const request = parseDatagram(bytes, { manager, commands: { ...commands, find } });
    return unknown && !last ? undefined : (absent ?? request);
  };

  const accept = async (request: Request): Promise<void> => {
    const { config, define } = composed.settled();
    if (config.activeResponseDisabled) {
      tellOnce(
        'disabled',
        {},
        'active responses are turned off: what the manager asks is not done',
      );
      return;
    }
    const seconds = lock.remaining();
    if (seconds > 0 && define(request.response)?.drivers.includes('restart-agent') === true) {
      log.info({ response: request.response, seconds }, 'not restarted: restarting is locked');
      return;
    }
    try {
      await composed.flow.accept(request);
    } catch (error) {
      // The flow has told what it refuses, and what failed.
      if (!isOfLimit(error)) return;
      log.warn({ response: request.response, ...describeError(error) }, 'not done');
    }
  };

  return {
    prepare: () => (manager === 'wazuh5' ? Promise.resolve() : arConf.refresh()),
    handle: async (bytes) => {
      try {
        let found = understand(bytes, false);
        if (found === undefined) {
          await arConf.refresh(true);
          found = understand(bytes, true);
        }
        if (found === undefined) return;
        if ('executables' in found) {
          tellOnce(`absent ${found.name}`, found, 'not on this machine, so it is not run here');
        } else await accept(found);
      } catch (error) {
        log.warn({ manager, ...describeError(error) }, 'message refused');
      }
    },
    restart: (by) =>
      accept({ verb: 'add', response: 'restart-wazuh', origin: { dialect: 'wazuh4', by } }),
  };
}

function isOfLimit(error: unknown): boolean {
  return error instanceof ArError && ['limit-pending', 'agent-stopping'].includes(error.code);
}

function unknownName(name: string): ArError {
  return new ArError(
    'response-unknown',
    `neither ar.conf nor the configuration has the command ${JSON.stringify(name.slice(0, 100))}`,
    'The manager sends names that its agents have in etc/shared/ar.conf; look whether it is in step.',
  );
}
