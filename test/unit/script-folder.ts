/** A response folder with scripts in it, and a desk that runs them: the agent without its socket. */
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ScriptDeclaration } from '../../agent/config/scripts.ts';
import type { Desk, Reporter } from '../../agent/desk/desk.ts';
import { createScriptDesk } from '../../agent/desk/script-desk.ts';
import { type Journal, openJournal } from '../../agent/journal/journal.ts';
import type { ResponseDefinition } from '../../agent/policy/responses.ts';
import type { ScriptServices } from '../../agent/script/bench.ts';
import { createScripts } from '../../agent/script/find.ts';
import { createTurns } from '../../agent/script/turns.ts';
import { endLeftovers } from '../../agent/system/leftovers.ts';
import { createScriptRunner } from '../../agent/system/run-script.ts';
import type { Instance, Order, Outcome, Request } from '../../agent/words.ts';

export interface Folder {
  /** Has the layout of a manager's agent: the home, with the response folder in it. */
  readonly home: string;
  readonly scripts: string;
  /** Writes an executable with these lines. */
  write(name: string, lines: readonly string[], mode?: number): Promise<string>;
  /** What scripts have written into a file of the home; empty when there is none. */
  read(name: string): Promise<string>;
  remove(): Promise<void>;
}

export async function createFolder(): Promise<Folder> {
  const home = await mkdtemp(join(tmpdir(), 'ar-exec-scripts-'));
  const scripts = join(home, 'active-response', 'bin');
  await mkdir(scripts, { recursive: true, mode: 0o755 });
  return {
    home,
    scripts,
    write: async (name, lines, mode = 0o755) => {
      const path = join(scripts, name);
      await writeFile(path, `${lines.join('\n')}\n`);
      await chmod(path, mode);
      return path;
    },
    read: (name) => readFile(join(home, name), 'utf8').catch(() => ''),
    remove: () => rm(home, { recursive: true, force: true }),
  };
}

interface Options {
  readonly declared?: Readonly<Record<string, ScriptDeclaration>>;
  readonly journal?: Journal;
  readonly timeLimitMs?: number;
  readonly atOnce?: number;
  readonly keysWaitMs?: number;
  readonly pendingRequests?: number;
  readonly now?: () => number;
}

export interface Agent {
  readonly journal: Journal;
  /** Every outcome that the logs are told. */
  readonly told: { readonly order: Order; readonly outcome: unknown }[];
  /** What could not be done at all. */
  readonly troubles: readonly unknown[];
  define(request: Request): Promise<ResponseDefinition | undefined>;
  ask(request: Partial<Request> & { readonly response: string }): Promise<Outcome>;
  deskOf(instance: Instance): Desk;
  stop(revert?: boolean): Promise<void>;
}

const place = '/usr/bin:/bin:/usr/sbin:/sbin'.split(':');

export function createAgent(folder: Folder, options: Options = {}): Agent {
  const { declared = {}, timeLimitMs = 20_000, atOnce = 8, keysWaitMs = 1_000 } = options;
  const journal = options.journal ?? openJournal(':memory:');
  const told: { order: Order; outcome: unknown }[] = [];
  const troubles: unknown[] = [];
  const report: Reporter = {
    refused: () => {},
    outcome: (order, outcome) => told.push({ order, outcome }),
    repaired: () => {},
    trouble: (_instance, error) => troubles.push(error),
  };
  const declarations = new Map(Object.entries(declared));
  const scripts = createScripts(folder.scripts, declarations, (name) =>
    journal.instances().find(({ settings }) => settings['name'] === name),
  );
  const services: ScriptServices = {
    run: createScriptRunner(place, { keysWaitMs }),
    turns: createTurns(atOnce),
    limits: (response) => ({
      timeLimitMs: (declared[response]?.timeLimitSeconds ?? timeLimitMs / 1_000) * 1_000,
      atOnce: declared[response]?.atOnce ?? 4,
    }),
    endLeftovers,
  };
  const clock = { now: options.now ?? (() => Date.now()) };
  const stages = {
    journal,
    clock,
    report,
    limits: { pendingRequests: options.pendingRequests ?? 1_000 },
    carrier: () => {
      throw new Error('a script has no carrier');
    },
    responseOf: (driver: string) => driver,
  };
  const desks = new Map<string, Desk>();
  const deskOf = (instance: Instance): Desk => {
    const key = JSON.stringify(instance);
    const desk = desks.get(key) ?? createScriptDesk(stages, instance, services);
    desks.set(key, desk);
    return desk;
  };
  return {
    journal,
    told,
    troubles,
    define: scripts.define,
    deskOf,
    ask: async (asked) => {
      const request: Request = { verb: 'add', origin: { dialect: 'native' }, ...asked };
      const definition = await scripts.define(request);
      if (definition?.instance === undefined) throw new Error(`no ${request.response}`);
      const { srcip, user, file, facts } = request;
      return deskOf(definition.instance).carryOut({
        ...request,
        target: { kind: 'named', text: definition.nameOf?.(request) ?? '' },
        instance: definition.instance,
        facts: { srcip, user, file, ...facts },
        timeoutSeconds: definition.stateful ? request.timeoutSeconds : undefined,
      });
    },
    stop: async (revert = false) => {
      await Promise.all([...desks.values()].map((desk) => desk.stop(revert)));
      if (options.journal === undefined) journal.close();
    },
  };
}

/** A script that names its keys as Wazuh's documentation has it, and notes what it is told. */
export const asking = (keys: string): string[] => [
  '#!/bin/sh',
  'read -r message',
  'case "$message" in',
  '*\'"command":"delete"\'*) echo delete >> ran.txt; exit 0 ;;',
  'esac',
  `printf '{"version":1,"origin":{"name":"x","module":"active-response"},"command":"check_keys","parameters":{"keys":${keys}}}\\n'`,
  'read -r answer',
  'case "$answer" in',
  '*\'"command":"continue"\'*) echo continue >> ran.txt ;;',
  '*\'"command":"abort"\'*) echo abort >> ran.txt ;;',
  '*) echo "nothing: $answer" >> ran.txt ;;',
  'esac',
];
