import { readdir } from 'node:fs/promises';
import { grammarOf, parseTarget } from '../../platform/target.ts';
import { currentSystem } from '../config/default-paths.ts';
import type { ScriptDeclaration } from '../config/scripts.ts';
import { ArError } from '../errors.ts';
import type { ResponseDefinition } from '../policy/responses.ts';
import { checkScriptFile } from '../system/script-file.ts';
import type { Instance, Request } from '../words.ts';
import { createInOrder } from './in-order.ts';
import { printable } from './keys.ts';
import { type Script, scriptDriver, toSettings } from './settings.ts';
import { unfitForWords } from './words.ts';

/** The scripts of the response folder, as responses. */
export interface Scripts {
  /**
   * What a name that is no built-in response stands for, for this request; undefined when there is no
   * such file. Throws `script-untrusted`, and `target-invalid` where it could not be told safely.
   */
  define(request: Request): Promise<ResponseDefinition | undefined>;
  /** Names that `define` would find, for suggestions. */
  names(): Promise<readonly string[]>;
}

/** No path, no hidden file, nothing that a tool could take for an option. */
const plainName = /^[A-Za-z0-9_][A-Za-z0-9._+@-]{0,63}$/;

/**
 * `holder` finds what made the live actions of a response, though nothing declares it any more;
 * `guarded` tells whose address must not be a protected one.
 */
export function createScripts(
  folder: string,
  declared: ReadonlyMap<string, ScriptDeclaration>,
  holder: (name: string) => Instance | undefined,
  guarded: (name: string) => boolean = () => true,
): Scripts {
  /** The same object each time: desks are found by it. */
  const instances = new Map<string, Instance>();
  const instanceOf = (script: Script): Instance => {
    const key = JSON.stringify(script);
    const known = instances.get(key);
    if (known !== undefined) return known;
    const instance = { driver: scriptDriver, settings: toSettings(script) };
    // Names come from requests, files do not: there are as many as there are files.
    instances.set(key, instance);
    return instance;
  };
  const inOrder = createInOrder();

  const define = async (request: Request): Promise<ResponseDefinition | undefined> => {
    const name = request.response;
    if (!plainName.test(name)) return undefined;
    const declaration = declared.get(name);
    const file = declaration?.file ?? name;
    const found = await checkScriptFile(folder, file);
    // What is held can be deleted though its file is gone, if only with --forget.
    const held = request.verb === 'delete' ? holder(name) : undefined;
    if (!found.fit && held === undefined) {
      if (found.kind === 'absent' && declaration === undefined) return undefined;
      throw unfit(name, found.kind, found.why);
    }
    const { dialect = 'auto', stateful = 'asked', extraArgs = [] } = declaration ?? {};
    const log = declaration?.log === false ? 'no' : 'yes';
    if (dialect === 'argv' && request.verb === 'add') refuseUnfit(name, request);
    return {
      name,
      target: 'named',
      stateful: isStateful(stateful, request),
      drivers: [scriptDriver],
      wantsFacts: true,
      summary: `runs ${file}`,
      instance: held ?? instanceOf({ name, folder, file, dialect, stateful, log, extraArgs }),
      guardsAddress: guarded(name),
      nameOf,
    };
  };

  return {
    // What is asked of a script in a row is done in that order, though its file is looked at each time.
    define: (request) => inOrder(request.response, define(request)),
    names: async () => {
      const files = await readdir(folder).catch(() => []);
      return [...declared.keys(), ...files.filter((name) => plainName.test(name))];
    },
  };
}

function refuseUnfit(name: string, request: Request): void {
  const wrong = unfitForWords(request);
  if (wrong === undefined) return;
  throw new ArError(
    'target-invalid',
    `${name} takes arguments, and cannot be given these: ${wrong}`,
    'Nothing was done.',
  );
}

/** Whether a request makes something that is taken back later. */
function isStateful(stateful: Script['stateful'], { verb, timeoutSeconds }: Request): boolean {
  if (stateful !== 'asked') return stateful === 'yes';
  return verb === 'delete' || timeoutSeconds !== undefined;
}

/** What an action is found by, unless its script names keys. */
function nameOf({ key, srcip, user, file }: Request): string {
  const address = srcip === undefined ? undefined : (parseTarget(srcip)?.text ?? srcip);
  // An account that has several spellings is one.
  const account =
    user === undefined ? undefined : (grammarOf(currentSystem()).user(user)?.text ?? user);
  return printable(key ?? address ?? account ?? file ?? '-');
}

function unfit(name: string, kind: 'absent' | 'untrusted', why: string): ArError {
  if (kind === 'absent') {
    return new ArError(
      'driver-unavailable',
      `${name} cannot be run: ${why}`,
      'Put the file there, or mend <script> in the configuration.',
    );
  }
  return new ArError(
    'script-untrusted',
    `${name} is not run: ${why}`,
    currentSystem() === 'win32'
      ? 'Let administrators own it and its folders, and nobody but them and SYSTEM write to them (icacls).'
      : 'Let root own it and its folders, and nobody else write to them: chown root FILE; chmod go-w FILE.',
  );
}
