/** Can the sets be filled, and does anything ask for them? */
import type { Finding, Question, Settings, Usability } from '../driver.ts';
import type { CommandStep, StepResult } from '../step.ts';
import { askSaved, type Header, readSaved, type Saved, type SetName } from './ipset-set-reading.ts';

/** Tersely: how each set was made, and how many ask for it. */
function askUse({ name }: SetName): CommandStep {
  return { kind: 'command', tool: 'ipset', args: ['list', '-t', name] };
}

export function probe(settings: Settings, names: readonly SetName[]): Question<Usability> {
  const saved = askSaved(names);
  return {
    steps: names.length === 0 ? [] : [...saved, ...names.map(askUse)],
    read: (results) => {
      if (names.length === 0) return unusable('no set is named in <ipset_set>');
      if (results[0]?.failure === 'missing') return unusable('ipset is not installed');
      const found = readSaved(names, results);
      const judged = names.map((name, index) =>
        judge(name, found[index], results[saved.length + index]),
      );
      const usable = judged.filter(({ header }) => header !== undefined);
      const troubles = judged.flatMap(({ trouble }) => trouble ?? []);
      if (usable.length === 0) return unusable(troubles.join('; '));
      const which = `set ${usable.map(({ name }) => name.name).join(' and ')}`;
      return {
        usable: true,
        why: [which, ...troubles].join('; '),
        families: usable.map(({ name }) => name.family),
        settled: { ...settings, ...settle(usable.flatMap(({ header }) => header ?? [])) },
      };
    },
  };
}

export function diagnose(names: readonly SetName[]): Question<readonly Finding[]> {
  return {
    steps: names.map(askUse),
    read: (results) =>
      names
        .filter((_, index) => isUnused(results[index]))
        .map((name) => ({
          id: 'set-without-rule',
          level: 'problem',
          what: `${noRule(name)}.`,
          why: 'ar-exec fills the set and makes no rules: yours have to ask for it.',
          remedy: `${name.family === 4 ? 'iptables' : 'ip6tables'} -I INPUT -m set --match-set ${name.name} src -j DROP`,
        })),
  };
}

interface Judged {
  readonly name: SetName;
  /** Absent when the set cannot be filled. */
  readonly header?: Header;
  readonly trouble?: string;
}

function judge(name: SetName, saved: Saved | undefined, use: StepResult | undefined): Judged {
  if (saved?.there === 'unknown') return { name, trouble: saved.why };
  if (saved?.there !== true) {
    const family = name.family === 4 ? 'inet' : 'inet6';
    const make = `ipset create ${name.name} hash:net family ${family} timeout 0 comment`;
    return { name, trouble: `there is no set ${name.name}: ${make} makes one` };
  }
  const { header } = saved;
  const trouble = troubleWith(name, header);
  if (trouble !== undefined) return { name, trouble };
  return isUnused(use) ? { name, header, trouble: noRule(name) } : { name, header };
}

function troubleWith({ name, family }: SetName, { type, ...header }: Header): string | undefined {
  if (type !== 'hash:ip' && type !== 'hash:net') {
    return `set ${name} is of type ${type}, and not hash:ip or hash:net`;
  }
  if (header.family !== (family === 4 ? 'inet' : 'inet6')) {
    return `set ${name} is not for IPv${family}`;
  }
  const mask = header.options.find((word) => word === 'netmask' || word === 'bitmask');
  return mask === undefined
    ? undefined
    : `set ${name} has a ${mask}: it holds more than is asked for`;
}

/** What all of the sets can. */
function settle(headers: readonly Header[]): Settings {
  const all = (test: (one: Header) => boolean): boolean => headers.every(test);
  return {
    marks: all(({ options }) => options.includes('comment')) ? 'comment' : 'none',
    expiry: all(({ options }) => options.includes('timeout')) ? 'kernel' : 'agent',
    prefixes: all(({ type }) => type === 'hash:net') ? 'yes' : 'no',
  };
}

/** Rules of both variants of iptables count, and sets of sets. */
function isUnused(use: StepResult | undefined): boolean {
  return /^References: 0$/m.test(use?.stdout ?? '');
}

function noRule({ name }: SetName): string {
  return `no rule asks for set ${name}: what is put in is not blocked`;
}

function unusable(why: string): Usability {
  return { usable: false, why, families: [] };
}
