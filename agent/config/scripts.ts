import { parseDuration } from './duration.ts';
import { configError, quote, type Remark, remarkAt } from './place.ts';
import type { Element } from './xml.ts';

const dialects = ['auto', 'argv', 'json', 'json-keys', 'wcs'] as const;

/** What the configuration says of one script; all of it has defaults. */
export interface ScriptDeclaration {
  /** The file in the response folder. Default: the response's name. */
  readonly file?: string | undefined;
  /** Default 'auto'. */
  readonly dialect?: (typeof dialects)[number] | undefined;
  /** Default 'asked': it is taken back if the request has a timeout. */
  readonly stateful?: 'yes' | 'no' | undefined;
  /** How long a run may take. Default: that of all scripts. */
  readonly timeLimitSeconds?: number | undefined;
  /** How many of it run at a time. Default 4. */
  readonly atOnce?: number | undefined;
  /** The address it is about must not be one that is never blocked. Default true. */
  readonly guard?: boolean | undefined;
  /** Runs are written to active-responses.log; a script that does it itself needs none. Default true. */
  readonly log?: boolean | undefined;
  readonly extraArgs?: readonly string[] | undefined;
}

const fileName = /^[A-Za-z0-9_][A-Za-z0-9._+@-]{0,63}$/;
const attributes = ['name', 'file', 'dialect', 'stateful', 'time_limit', 'at_once', 'guard', 'log'];
const form =
  '<script name="custom-ar.py" dialect="json-keys" stateful="yes" time_limit="30s" at_once="2">extra arguments</script>';

/** The scripts that each `<script name="…">` declares. */
export function readScripts(
  elements: readonly Element[],
  { file, known }: { file: string; known: { readonly responses: readonly string[] } },
): { scripts: ReadonlyMap<string, ScriptDeclaration>; remarks: readonly Remark[] } {
  const scripts = new Map<string, ScriptDeclaration>();
  const remarks: Remark[] = [];
  for (const element of elements) {
    const wrong = (message: string): never => {
      throw configError(file, element, message, `Write ${form}; all but the name may be left out.`);
    };
    const child = element.children[0];
    if (child !== undefined) wrong(`<script> holds <${child.name}>, where only arguments belong`);
    const name = element.attributes['name'] ?? '';
    if (!fileName.test(name)) wrong(`<script> has the name ${quote(name)}, which is no file name`);
    if (known.responses.includes(name)) wrong(`${quote(name)} is a response of its own already`);
    const unknown = Object.keys(element.attributes).find((one) => !attributes.includes(one));
    if (unknown !== undefined) wrong(`<script> has no attribute ${quote(unknown)}`);
    if (scripts.has(name)) {
      remarks.push(
        remarkAt(element, `<script> "${name}" is declared above already: this one counts`),
      );
    }
    scripts.set(name, readDeclaration(element, wrong));
  }
  return { scripts, remarks };
}

function readDeclaration(
  { attributes, text }: Element,
  wrong: (message: string) => never,
): ScriptDeclaration {
  const take = <T>(name: string, read: (text: string) => T | undefined): T | undefined => {
    const written = attributes[name];
    if (written === undefined) return undefined;
    return read(written) ?? wrong(`<script> has ${name}=${quote(written)}, which it does not take`);
  };
  const extraArgs = text.split(/\s+/).filter((word) => word !== '');
  return {
    file: take('file', (it) => (fileName.test(it) ? it : undefined)),
    dialect: take('dialect', (it) => dialects.find((one) => one === it)),
    stateful: take('stateful', (it) => (['yes', 'no'] as const).find((one) => one === it)),
    timeLimitSeconds: take('time_limit', readTimeLimit),
    atOnce: take('at_once', (it) => (/^[1-9]\d{0,2}$/.test(it) ? Number(it) : undefined)),
    guard: take('guard', readYesNo),
    log: take('log', readYesNo),
    extraArgs,
  };
}

function readYesNo(text: string): boolean | undefined {
  return text === 'yes' ? true : text === 'no' ? false : undefined;
}

/** One second to an hour. */
function readTimeLimit(text: string): number | undefined {
  try {
    const seconds = parseDuration(text);
    return seconds <= 3_600 ? seconds : undefined;
  } catch {
    return undefined;
  }
}
