import type { System } from '../../platform/system.ts';
import type { AddressTarget } from '../../platform/target.ts';
import { suggestion } from './nearest.ts';
import { type Notification, readNotifications } from './notifications.ts';
import { configError, quote, type Remark, remarkAt } from './place.ts';
import { readScripts, type ScriptDeclaration } from './scripts.ts';
import {
  type Known,
  readAccountNames,
  readDrivers,
  readSetting,
  readTargets,
} from './section-values.ts';
import type { Setting, SettingWithDefault } from './setting.ts';
import type { Element } from './xml.ts';

/** The settings that may be given any number of times. */
export const repeatable = ['never_block', 'never_disable', 'driver', 'script', 'notification'];

/** What stands beside our sections, as a manager has it. */
const ofManagers = ['command', 'active-response', 'global', 'white_list'];

interface Context {
  readonly file: string;
  readonly known: Known;
  /** Whose names of accounts count. */
  readonly system: System;
  /** The settings that are given once at most. */
  readonly single: readonly Setting<unknown>[];
}

/** What the `<ar-exec>` sections of a file say. */
export interface Sections {
  readonly neverBlock: readonly AddressTarget[];
  readonly neverDisable: readonly string[];
  readonly drivers: ReadonlyMap<string, readonly string[]>;
  readonly scripts: ReadonlyMap<string, ScriptDeclaration>;
  readonly notifications: readonly Notification[];
  readonly remarks: readonly Remark[];
  /** A setting's value, if it is given. */
  value<T>(setting: Setting<T>): T | undefined;
  /** A setting's value or its default. */
  valueOr<T>(setting: SettingWithDefault<T>): T;
}

/** Reads every `<ar-exec>` section, wherever in the file it stands, as if they were one. */
export function readSections(document: Element, context: Context): Sections {
  const sections = sectionsIn(document);
  const { found, remarks } = collect(sections, context);
  const ofResponses = readDrivers(found.get('driver') ?? [], context);
  const declared = readScripts(found.get('script') ?? [], context);
  const told = readNotifications(found.get('notification') ?? [], context);
  const value = <T>(setting: Setting<T>): T | undefined => {
    const element = found.get(setting.element)?.at(-1);
    return element === undefined ? undefined : readSetting(setting, element, context.file);
  };
  return {
    neverBlock: (found.get('never_block') ?? []).flatMap((it) => readTargets(it, context.file)),
    neverDisable: (found.get('never_disable') ?? []).flatMap((it) =>
      readAccountNames(it, context.file, context.system),
    ),
    drivers: ofResponses.drivers,
    scripts: declared.scripts,
    notifications: told.notifications,
    remarks: [...remarks, ...ofResponses.remarks, ...declared.remarks, ...told.remarks],
    value,
    valueOr: (setting) => value(setting) ?? setting.fallback,
  };
}

/** Every `<ar-exec>` of a file. */
export function sectionsIn(element: Element): Element[] {
  return element.children.flatMap((it) => (it.name === 'ar-exec' ? [it] : sectionsIn(it)));
}

/** Text of ours that is not understood is refused: a `#` may be meant to disable what follows it. */
function refuseText(element: Element, file: string): void {
  if (element.text === '') return;
  const [stray] = element.stray;
  throw configError(
    file,
    stray ?? element,
    `<${element.name}> holds text outside of a setting: ${quote(stray?.message ?? element.text)}`,
    'Write comments as <!-- ... -->, settings as <name>value</name>.',
  );
}

/** Sorts the elements by the setting they are for. */
function collect(sections: readonly Element[], { file, single }: Context) {
  const names = [...repeatable, ...single.map((setting) => setting.element)];
  const groups = new Set(
    names.filter((it) => it.includes('/')).map((it) => it.split('/')[0] ?? it),
  );
  const found = new Map<string, Element[]>();
  const remarks: Remark[] = [];
  const possible = [...names, ...groups];
  // A file can have hundreds of thousands of unknown elements, which is a few names.
  const unknown = new Map<string, string>();
  const messageFor = (name: string): string => {
    const message = unknown.get(name) ?? unknownSetting(name, possible);
    unknown.set(name, message);
    return message;
  };

  const take = (name: string, element: Element) => {
    const before = found.get(name) ?? [];
    const last = before.at(-1);
    if (last !== undefined && !repeatable.includes(name)) {
      const message = `<${element.name}> is given on line ${last.line} already: this one counts`;
      remarks.push(remarkAt(element, message));
    }
    before.push(element);
    found.set(name, before);
  };
  const visit = (parent: Element, prefix: string) => {
    refuseText(parent, file);
    for (const element of parent.children) {
      const name = `${prefix}${element.name}`;
      if (groups.has(name)) visit(element, `${name}/`);
      else if (names.includes(name)) take(name, element);
      else remarks.push(remarkAt(element, messageFor(name)));
    }
  };
  for (const section of sections) visit(section, '');
  return { found, remarks };
}

/** Says that there is no such setting, and which one may have been meant. */
function unknownSetting(path: string, known: readonly string[]): string {
  const name = path.split('/').at(-1) ?? path;
  if (ofManagers.includes(name)) {
    return `<${name}> is not taken here: it belongs into <ossec_config>, beside <ar-exec>`;
  }
  const moved = known.find((it) => it.split('/').at(-1) === name);
  if (moved === undefined) {
    return `<${name}> is not a setting: it is not taken.${suggestion(path, known)}`;
  }
  const place = moved.includes('/') ? moved.split('/')[0] : 'ar-exec';
  return `<${name}> is not taken here: it belongs into <${place}>`;
}
