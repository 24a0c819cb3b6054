import type { System } from '../../platform/system.ts';
import { type AddressTarget, grammarOf, parseTarget } from '../../platform/target.ts';
import { suggestion } from './nearest.ts';
import { configError, quote, type Remark, remarkAt } from './place.ts';
import type { Setting } from './setting.ts';
import { type Element, wordsIn } from './xml.ts';

/** The names that a configuration may refer to; the caller has the lists. */
export interface Known {
  readonly responses: readonly string[];
  readonly drivers: readonly string[];
  /** The responses that notify, under all their names, and what each is called. */
  readonly notifying?: ReadonlyMap<string, string>;
}

/** What a setting's element says; text that does not have the setting's form is refused. */
export function readSetting<T>(setting: Setting<T>, element: Element, file: string): T {
  refuseChildren(element, file);
  const value = setting.read(element.text);
  if (value !== undefined) return value;
  throw configError(
    file,
    element,
    `<${element.name}> is ${quote(element.text)}`,
    `<${element.name}> takes: ${setting.form}.`,
  );
}

/** The addresses and prefixes of a `<never_block>`. */
export function readTargets(element: Element, file: string): AddressTarget[] {
  refuseChildren(element, file);
  return wordsIn(element).map((word) => {
    const target = parseTarget(word);
    if (target !== undefined) return target;
    throw configError(
      file,
      element,
      `<never_block> holds ${quote(word)}, which is not an address or a prefix`,
      'Write addresses like 192.0.2.7 or 2001:db8::/32; host names are not looked up, because what they stand for changes.',
    );
  });
}

/** The accounts and `@groups` of a `<never_disable>`. */
export function readAccountNames(element: Element, file: string, system: System): string[] {
  refuseChildren(element, file);
  const { user } = grammarOf(system);
  return wordsIn(element).map((word) => {
    const name = word.replace(/^@/, '');
    // Windows: by its SID where a name has spaces, or another one in every language.
    const isSid = system === 'win32' && /^S-1(-\d{1,15}){1,15}$/i.test(name);
    if (isSid || user(name) !== undefined) return word;
    throw configError(
      file,
      element,
      `<never_disable> holds ${quote(word)}, which is not the name of an account or a group`,
      'Write login names like alice, and groups with an @ before them like @admins.',
    );
  });
}

/** The drivers that each `<driver response="…">` names, in order of preference. */
export function readDrivers(
  elements: readonly Element[],
  { file, known }: { file: string; known: Known },
): { drivers: ReadonlyMap<string, readonly string[]>; remarks: readonly Remark[] } {
  const drivers = new Map<string, readonly string[]>();
  const remarks: Remark[] = [];
  for (const element of elements) {
    refuseChildren(element, file);
    const response = element.attributes['response'] ?? '';
    const names = [...new Set(wordsIn(element))];
    const unknown =
      nameTrouble('response', [response], known.responses) ??
      nameTrouble('driver', names, known.drivers);
    if (unknown !== undefined) throw configError(file, element, unknown.message, unknown.hint);
    if (drivers.has(response)) {
      const message = `the drivers of "${response}" are named above already: these count`;
      remarks.push(remarkAt(element, message));
    }
    drivers.set(response, names);
  }
  return { drivers, remarks };
}

/** What is wrong with names that are to be known ones, at least one of them. */
function nameTrouble(what: string, names: readonly string[], known: readonly string[]) {
  const wrong = names.length === 0 ? '' : names.find((name) => !known.includes(name));
  if (wrong === undefined) return undefined;
  return {
    message:
      wrong === ''
        ? `<driver> names no ${what}`
        : `<driver> names the unknown ${what} ${quote(wrong)}.${suggestion(wrong, known)}`,
    hint: `Write <driver response="response">driver, driver</driver>. The ${what}s are: ${known.join(', ')}.`,
  };
}

function refuseChildren(element: Element, file: string): void {
  const child = element.children[0];
  if (child === undefined) return;
  const message = `<${element.name}> holds <${child.name}>, where only text belongs`;
  throw configError(file, child, message, `Close <${element.name}> before it.`);
}
