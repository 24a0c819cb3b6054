import { isAbsolute, normalize } from 'node:path';
import { describeDuration, parseDuration } from './duration.ts';

/** One setting: how it is written and what it takes. */
export interface Setting<T> {
  /** Its element's name; inside a group `group/name`. */
  readonly element: string;
  /** What it takes, as messages and docs/configuration.md say it. */
  readonly form: string;
  /** Understands the text of the element; `undefined` when it does not have the form. */
  read(text: string): T | undefined;
}

/** A setting that has a value without being written. */
export interface SettingWithDefault<T> extends Setting<T> {
  readonly fallback: T;
}

export function wholeNumber(
  element: string,
  fallback: number,
  { min, max }: { min: number; max: number },
): SettingWithDefault<number> {
  return {
    element,
    fallback,
    form: `${min} to ${max}`,
    read(text) {
      if (!/^\d{1,15}$/.test(text)) return undefined;
      const value = Number(text);
      return value >= min && value <= max ? value : undefined;
    },
  };
}

/** A duration, in seconds. */
export function duration(
  element: string,
  fallback: number,
  { min, max }: { min: number; max: number },
): SettingWithDefault<number> {
  return {
    element,
    fallback,
    form: `${describeDuration(min)} to ${describeDuration(max)}`,
    read(text) {
      const seconds = secondsOf(text);
      return seconds !== undefined && seconds >= min && seconds <= max ? seconds : undefined;
    },
  };
}

export function oneOf<const T extends string>(
  element: string,
  fallback: T,
  choices: readonly T[],
): SettingWithDefault<T> {
  return {
    element,
    fallback,
    form: choices.map((choice) => (choice === '' ? 'empty' : choice)).join(', '),
    read: (text) => choices.find((choice) => choice === text),
  };
}

export function absolutePath(element: string): Setting<string> {
  return { element, form: 'an absolute path', read: readPath };
}

export function absolutePathOr(element: string, fallback: string): SettingWithDefault<string> {
  return { ...absolutePath(element), fallback };
}

/** An absolute path, or `none`: the file is not read. */
export function absolutePathOrNone(element: string): Setting<string> {
  return {
    element,
    form: 'an absolute path, or none',
    read: (text) => (text === 'none' ? text : readPath(text)),
  };
}

/** The id of an agent, as managers count them. */
export function agentId(element: string): Setting<string> {
  return {
    element,
    form: 'a number, like 001',
    read: (text) => (/^\d{1,10}$/.test(text) ? text : undefined),
  };
}

/** The name of an agent, as managers take it. */
export function agentName(element: string): Setting<string> {
  return {
    element,
    form: 'letters, digits, ".", "_" and "-"',
    read: (text) => (/^[\w.-]{1,128}$/.test(text) ? text : undefined),
  };
}

/** Absolute paths, kept one a line: no path has a line break in it. */
export function pathList(element: string, fallback: readonly string[]): SettingWithDefault<string> {
  return {
    element,
    form: 'absolute paths, separated by commas or line breaks',
    fallback: fallback.join('\n'),
    read(text) {
      const paths = text.split(/[,\n]/).map((path) => path.trim());
      const given = paths.filter((path) => path !== '');
      return given.every((path) => readPath(path) !== undefined) ? given.join('\n') : undefined;
    },
  };
}

/** A group of the operating system, as shadow's useradd and BSD's pw take it. */
export function groupName(element: string, fallback: string): SettingWithDefault<string> {
  return {
    element,
    fallback,
    form: 'a group name',
    read: (text) => (/^[a-z_][a-z0-9_.-]{0,31}$/i.test(text) ? text : undefined),
  };
}

/** A set of nftables by its full name, as `nft list set` takes it; empty for none. */
export function nftSet(element: string, fallback: string): SettingWithDefault<string> {
  const name = '[A-Za-z_.][\\w./-]{0,254}';
  const form = new RegExp(`^(inet|ip6?|bridge|netdev|arp) ${name} ${name}$`);
  return {
    element,
    fallback,
    form: 'a family, a table and a set, or empty',
    read(text) {
      const words = text.split(/\s+/).join(' ');
      return words === '' || form.test(words) ? words : undefined;
    },
  };
}

/** A set of ipset by its name; empty for none. The kernel takes 31 characters (IPSET_MAXNAMELEN). */
export function ipSet(element: string): SettingWithDefault<string> {
  return {
    element,
    fallback: '',
    form: 'the name of a set, or empty',
    read: (text) => (/^([\w.][\w.:@+-]{0,30})?$/.test(text) ? text : undefined),
  };
}

/** An anchor of pf by its path; empty for the default one. pfctl leaves names with `_` before them alone. */
export function pfAnchor(element: string): SettingWithDefault<string> {
  const name = '[A-Za-z0-9][\\w.-]*';
  const form = new RegExp(`^(${name}(/${name})*)?$`);
  return {
    element,
    fallback: '',
    form: 'the path of an anchor, or empty',
    read: (text) => (text.length <= 63 && form.test(text) ? text : undefined),
  };
}

/** A table of pf by its name; the kernel takes 31 characters (PF_TABLE_NAME_SIZE). */
export function pfTable(element: string, fallback: string): SettingWithDefault<string> {
  return {
    element,
    fallback,
    form: 'the name of a table',
    read: (text) => (/^[A-Za-z_][\w.-]{0,30}$/.test(text) ? text : undefined),
  };
}

/** A name in firewalld: a zone takes 17 characters, an ipset 31. */
export function firewalldName(
  element: string,
  fallback: string,
  longest: number,
): SettingWithDefault<string> {
  return {
    element,
    fallback,
    form: `a name of up to ${longest} characters`,
    read: (text) =>
      /^[A-Za-z0-9_][\w-]*$/.test(text) && text.length <= longest ? text : undefined,
  };
}

/** A table of ipfw by its name (sbin/ipfw/tables.c, table_check_name); `all` means every one of them. */
export function ipfwTable(element: string, fallback: string): SettingWithDefault<string> {
  return {
    element,
    fallback,
    form: 'the name of a table, up to 63 characters',
    read: (text) => (/^\w[\w.-]{0,62}$/.test(text) && text !== 'all' ? text : undefined),
  };
}

/** A table of npf by its name; the kernel takes 31 characters (NPF_TABLE_MAXNAMELEN). */
export function npfTable(element: string, fallback: string): SettingWithDefault<string> {
  return {
    element,
    fallback,
    form: 'the name of a table, up to 31 characters',
    read: (text) => (/^[A-Za-z_][\w-]{0,30}$/.test(text) ? text : undefined),
  };
}

function secondsOf(text: string): number | undefined {
  try {
    return parseDuration(text);
  } catch {
    return undefined;
  }
}

/** Only in its shortest spelling: a path with `..` in it names another file than it seems to. */
function readPath(text: string): string | undefined {
  const plain = text.length <= 1024 && isAbsolute(text) && normalize(text) === text;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  return plain && !/[\\/]$|[\u0000-\u001f]/.test(text) ? text : undefined;
}
