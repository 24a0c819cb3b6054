import { defaultPaths } from '../config/default-paths.ts';
import { suggestion } from '../config/nearest.ts';
import type { Config } from '../config/settings.ts';
import type { Journal } from '../journal/journal.ts';
import { unknownResponse } from '../policy/decide.ts';
import { type ResponseDefinition, responses } from '../policy/responses.ts';
import { endLeftovers } from '../system/leftovers.ts';
import { createScriptRunner, type ScriptRunner } from '../system/run-script.ts';
import { toolFolders } from '../system/tool-place.ts';
import type { Request } from '../words.ts';
import type { ScriptServices } from './bench.ts';
import { createScripts, type Scripts } from './find.ts';
import { scriptDriver } from './settings.ts';
import { takesAddress } from './takes-address.ts';
import { createTurns } from './turns.ts';

/** How many of one script run at a time, if nothing else is declared. */
const eachAtOnce = 4;

export interface ScriptParts {
  readonly services: ScriptServices;
  /**
   * The script that a name stands for, or `otherwise` where there is none. Throws `response-unknown`,
   * and what Scripts.define throws.
   */
  define(request: Request, otherwise?: ResponseDefinition): Promise<ResponseDefinition>;
}

/**
 * Everything about scripts, as configured; `config` is asked each time. `adorn` is put around what
 * runs them.
 */
export function createScriptParts(
  config: () => Config,
  journal: Journal,
  adorn: (inner: ScriptRunner) => ScriptRunner = (inner) => inner,
): ScriptParts {
  const holder = (name: string) =>
    journal
      .instances()
      .find(({ driver, settings }) => driver === scriptDriver && settings['name'] === name);
  let made:
    | { readonly from: Config; readonly folder: string; readonly scripts: Scripts }
    | undefined;
  /** The same until the configuration is another one: desks are found by what it hands out. */
  const scriptsNow = () => {
    const from = config();
    if (made?.from !== from) {
      const folder = from.scriptsFolder ?? defaultPaths().scriptsFolder;
      const guarded = (name: string) => takesAddress(from, name);
      made = { from, folder, scripts: createScripts(folder, from.scripts, holder, guarded) };
    }
    return made;
  };
  return {
    services: {
      run: adorn(createScriptRunner(toolFolders)),
      turns: createTurns(config().limits.scriptsAtOnce),
      limits: (response) => {
        const { scripts, scriptTimeLimitSeconds } = config();
        const declared = scripts.get(response);
        const seconds = declared?.timeLimitSeconds ?? scriptTimeLimitSeconds;
        return { timeLimitMs: seconds * 1_000, atOnce: declared?.atOnce ?? eachAtOnce };
      },
      endLeftovers,
    },
    define: async (request, otherwise) => {
      const { folder, scripts } = scriptsNow();
      const found = await scripts.define(request);
      if (found !== undefined) return found;
      if (otherwise !== undefined) return otherwise;
      const builtIn = responses.flatMap(({ name, aliases = [] }) => [name, ...aliases]);
      const known = [...builtIn, ...(await scripts.names())];
      const also = ` Or an executable file in ${folder}.`;
      throw unknownResponse(request, `${also}${suggestion(request.response, known)}`);
    },
  };
}
