/** Can the sets be filled, and does a rule ask for them? */
import type { Finding, Settings, Usability } from '../driver.ts';
import type { CommandStep, StepResult } from '../step.ts';
import {
  askAllSets,
  complaint,
  type Declaration,
  declarationOf,
  isAskedFor,
  readAllSets,
  readListed,
  type SetName,
} from './nft-set-reading.ts';

/** The tables that the sets are in, with their rules. */
export function askTables(names: readonly SetName[]): CommandStep[] {
  const tables = new Set(names.map(({ words }) => `${words[0]} ${words[1]}`));
  return [...tables].map((table) => {
    const args = ['-j', '-t', 'list', 'table', ...table.split(' ')];
    return { kind: 'command', tool: 'nft', args };
  });
}

export function readProbe(
  settings: Settings,
  names: readonly SetName[],
  results: readonly StepResult[],
): Usability {
  const [version, ...rest] = results;
  const tables = rest.slice(askAllSets.length);
  if (names.length === 0) return unusable('no set is named in <nftables_set>');
  if (version === undefined || version.failure === 'missing') {
    return unusable('nft is not installed');
  }
  const sets = readAllSets(rest);
  if (sets === undefined) return unusable(`nft list sets: ${complaint(rest[0])}`);
  const judged = names.map((name) => {
    const declaration = declarationOf(name, sets);
    return { name, declaration, trouble: troubleWith(name, declaration) };
  });
  const usable = judged.filter(({ trouble }) => trouble === undefined);
  const troubles = judged.flatMap(({ trouble }) => trouble ?? []);
  if (usable.length === 0) return unusable(troubles.join('; '));
  const unused = usable.filter(({ name }) => !tables.some((table) => asks(name, table)));
  const remarks = [...unused.map(({ name }) => noRule(name)), ...troubles];
  const which = usable.map(({ name }) => name.text).join(' and ');
  return {
    usable: true,
    why: [`set ${which}`, ...remarks].join('; '),
    families: usable.map(({ name }) => name.family),
    settled: {
      ...settings,
      ...settle(usable.flatMap(({ declaration }) => declaration ?? [])),
    },
  };
}

/** What all of the sets can. */
function settle(declarations: readonly Declaration[]): Settings {
  const all = (test: (one: Declaration) => boolean): boolean => declarations.every(test);
  const some = (test: (one: Declaration) => boolean): boolean => declarations.some(test);
  const expires = all(({ flags }) => flags.includes('timeout'));
  const always = some((one) => one.timeout !== undefined);
  return {
    expiry: always && expires ? 'kernel-always' : expires ? 'kernel' : 'agent',
    prefixes: all(({ flags }) => flags.includes('interval')) ? 'yes' : 'no',
  };
}

function troubleWith(name: SetName, declaration: Declaration | undefined): string | undefined {
  const type = `ipv${name.family}_addr`;
  if (declaration === undefined) {
    return `there is no set ${name.text}: nft add set ${name.text} '{ type ${type}; flags timeout; }' makes one`;
  }
  const { flags, merges } = declaration;
  if (!isOfType(declaration.type, name.family)) return `set ${name.text} is not of type ${type}`;
  if (flags.includes('constant')) return `set ${name.text} is constant: nothing can be added to it`;
  return merges ? mergeTrouble(name) : undefined;
}

/** From nft 1.1.0 on a set that was made with `typeof` is listed with its expression. */
function isOfType(type: unknown, family: 4 | 6): boolean {
  if (type === `ipv${family}_addr`) return true;
  const text = JSON.stringify(type) ?? '';
  const protocol = family === 4 ? 'ip' : 'ip6';
  return new RegExp(
    `^\\{"typeof":\\{"payload":\\{"protocol":"${protocol}","field":"[sd]addr"\\}\\}\\}$`,
  ).test(text);
}

export function mergeTrouble({ text }: SetName): string {
  return `set ${text} merges neighbours (auto-merge): what ar-exec put in could not be told from yours`;
}

function noRule({ text, words }: SetName): string {
  return `no rule of table ${words[0]} ${words[1]} asks for set ${text}: what is put in is not blocked`;
}

function asks(name: SetName, table: StepResult | undefined): boolean {
  const listed = readListed(table);
  const [first] = name.words;
  return (
    listed?.some(({ set }) => set?.family === first && set.table === name.words[1]) === true &&
    isAskedFor(name, listed)
  );
}

export function diagnose(names: readonly SetName[], results: readonly StepResult[]): Finding[] {
  return names
    .filter((name) => !results.some((table) => asks(name, table)))
    .map((name) => ({
      id: 'set-without-rule',
      level: 'problem',
      what: `${noRule(name)}.`,
      why: 'ar-exec fills the set and makes no rules: yours have to ask for it.',
      remedy: ruleFor(name),
    }));
}

function ruleFor({ family, text, words }: SetName): string {
  const match = `${family === 4 ? 'ip' : 'ip6'} saddr @${words[2]} drop`;
  return `Add a rule with "${match}" to a chain of table ${words[0]} ${words[1]} that sees incoming packets (${text}).`;
}

function unusable(why: string): Usability {
  return { usable: false, why, families: [] };
}
