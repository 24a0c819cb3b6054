/** What of ours pf holds. */
import type { Question, Reading } from '../driver.ts';
import type { Step, StepResult } from '../step.ts';
import type { AddressTarget } from '../target.ts';
import { inAnchor, loadRules, ownRules, type Place, pfctl, said, worked } from './pf-commands.ts';
import { askMain, askRules, readMain, unenforced } from './pf-enforcement.ts';
import { askReference, holdReference, readReference, releaseReference } from './pf-reference.ts';
import { askEntries, askTables, type Content, readContent } from './pf-tables.ts';

export function inspect(place: Place): Question<Reading<AddressTarget>> {
  return {
    steps: [
      ...askMain,
      askTables(place),
      askEntries(place),
      ...(place.ours ? [askRules(place)] : []),
      ...askReference(place),
    ],
    read: (results) => read(place, results),
  };
}

function read(place: Place, results: readonly StepResult[]): Reading<AddressTarget> {
  const main = readMain(place, results);
  if (!main.known) return main;
  const [tables, shown, ...rest] = results.slice(askMain.length);
  const content = readContent(place, tables, shown);
  if (content.there === 'unknown') return { known: false, why: content.why };
  const trouble = unenforced(place, main);
  if (!place.ours) return readTheirs(place, content, trouble);
  const [rules, ...reference] = rest;
  if (!worked(rules)) return { known: false, why: rules === undefined ? 'no answer' : said(rules) };
  const lines = rules.stdout.split('\n').filter((line) => line !== '');
  const hasOwnRules = lines.join('\n') === ownRules(place).join('\n');
  const held = readReference(place, reference);
  if (held === 'unknown') return { known: false, why: 'nobody can say who keeps pf enabled' };
  const isWhole =
    hasOwnRules &&
    content.there === 'yes' &&
    held === 'yes' &&
    (main.enabled || place.token === '');
  return {
    known: true,
    containers: isWhole ? [place.anchor] : [],
    effects: content.there === 'yes' ? content.entries.map((target) => ({ target })) : [],
    foreign: [],
    ...(trouble === undefined ? {} : { trouble }),
    setup: () => [loadRules(place), ...holdReference(place)],
    teardown: () => [...takeAway(place, content, lines), ...releaseReference(place)],
  };
}

/** Rules of somebody else in our anchor stay, and with them the table that they may name. */
function takeAway(place: Place, content: Content, rules: readonly string[]): Step[] {
  const own = ownRules(place);
  if (!rules.every((rule) => own.includes(rule))) return [];
  return [
    ...(rules.length > 0 ? [pfctl(['-q', ...inAnchor(place), '-F', 'rules'])] : []),
    ...(content.there === 'yes'
      ? [pfctl(['-q', ...inAnchor(place), '-t', place.table, '-T', 'kill'])]
      : []),
  ];
}

/** Nothing tells what we have put into somebody's table from what he has: the journal does. */
function readTheirs(
  place: Place,
  content: Exclude<Content, { there: 'unknown' }>,
  trouble: string | undefined,
): Reading<AddressTarget> {
  const isThere = content.there === 'yes';
  const why =
    trouble ??
    (isThere ? unused(place, content) : `not enforced: there is no table <${place.table}>`);
  return {
    known: true,
    containers: [],
    effects: isThere ? content.entries.map((target) => ({ target })) : [],
    foreign: [],
    ...(why === undefined ? {} : { trouble: why }),
    setup: () => [],
    teardown: () => [],
  };
}

export function unused(
  { table }: Place,
  { listed }: Extract<Content, { there: 'yes' }>,
): string | undefined {
  return listed.references > 0 ? undefined : `not enforced: no rule names the table <${table}>`;
}
