/** Can pf block here? Enabling it, and pf.conf, are the administrator's business. */
import type { Finding, Question, Usability } from '../driver.ts';
import type { StepResult } from '../step.ts';
import { type Place, worked } from './pf-commands.ts';
import { askMain, familiesOf, type Main, readMain, unenforced } from './pf-enforcement.ts';
import { lineFor } from './pf-main-rules.ts';
import { unused } from './pf-reading.ts';
import { askEntries, askTables, readContent } from './pf-tables.ts';

type Known = Extract<Main, { known: true }>;

export function probe(place: Place): Question<Usability> {
  return {
    steps: [...askMain, ...(place.ours ? [] : [askTables(place), askEntries(place)])],
    read: (results) => {
      const main = readMain(place, results);
      if (!main.known) return unusable(main.why);
      const why = unenforced(place, main) ?? troubleWithTheirs(place, results);
      if (why !== undefined) return { ...unusable(why), findings: findings(place, main, why) };
      return {
        usable: true,
        why: [
          place.ours ? `anchor ${place.anchor}` : `table <${place.table}>`,
          ...remarks(main),
        ].join('; '),
        families: familiesOf(main.evaluation),
        findings: findings(place, main, undefined),
      };
    },
  };
}

function unusable(why: string): Usability {
  return { usable: false, why, families: [] };
}

function troubleWithTheirs(place: Place, results: readonly StepResult[]): string | undefined {
  if (place.ours) return undefined;
  const [tables, shown] = results.slice(askMain.length);
  const content = readContent(place, tables, shown);
  if (content.there === 'unknown') return content.why;
  if (content.there === 'no' || !worked(tables)) {
    return `not enforced: there is no table <${place.table}>`;
  }
  if (content.listed.constant) return `the table <${place.table}> is const: nothing can be added`;
  return unused(place, content);
}

/** What a person should know of a place where it can be used. */
function remarks({ evaluation }: Known): string[] {
  const { call, passedBy, reached } = evaluation;
  return [
    ...(reached === 'some' ? [`called for a part of the packets only: ${call}`] : []),
    ...(passedBy === undefined ? [] : [`"${passedBy.rule}" stands before it`]),
  ];
}

function findings(place: Place, main: Known, why: string | undefined): Finding[] {
  const { evaluation, enabled } = main;
  const line = lineFor(place.anchor);
  const what = (text: string): string => `pf: ${text}.`;
  if (!enabled && place.token === '') {
    return [
      {
        id: 'pf-disabled',
        // Another packet filter may do its work.
        level: 'note',
        what: what('not enforced: pf is disabled'),
        why: 'ar-exec leaves it to you whether pf runs.',
        remedy: 'pfctl -e',
      },
    ];
  }
  if (place.anchor !== '' && evaluation.reached === 'no') {
    return [
      {
        id: 'pf-anchor-not-called',
        level: 'problem',
        what: what(`not enforced: no rule of the main ruleset calls the anchor ${place.anchor}`),
        why: 'Rules in an anchor act only where the main ruleset calls it.',
        remedy: `Put this line into /etc/pf.conf, before the first rule with "quick": ${line} . Then: pfctl -f /etc/pf.conf`,
      },
    ];
  }
  if (evaluation.passedBy !== undefined) {
    return [
      {
        id: 'pf-anchor-passed-by',
        level: 'problem',
        what: what(`"${evaluation.passedBy.rule}" lets packets in before the anchor is asked`),
        why: 'A rule with "quick" is the last one that a packet meets.',
        remedy: `Put the line ${line} before it in /etc/pf.conf. Then: pfctl -f /etc/pf.conf`,
      },
    ];
  }
  if (evaluation.reached === 'some') {
    return [
      {
        id: 'pf-anchor-limited',
        level: 'warning',
        what: what(`the anchor is called for a part of the packets only: ${evaluation.call}`),
        remedy: `Call it for all of them in /etc/pf.conf: ${line}`,
      },
    ];
  }
  if (why === undefined) return [];
  return [
    {
      id: 'pf-table-unused',
      level: 'problem',
      what: what(why),
      why: 'ar-exec fills the table that <pf><table> names, and makes no rules: yours have to name it.',
      remedy: `Rules for /etc/pf.conf: table <${place.table}> persist; block in quick from <${place.table}>; block out quick to <${place.table}>`,
    },
  ];
}
