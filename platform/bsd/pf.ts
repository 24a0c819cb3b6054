/**
 * pf: one table in an anchor of ours, with two rules that block what is in it. Neither pf.conf nor the
 * main ruleset is touched: the administrator's ruleset calls the anchor, and where it does not, nothing
 * is said to be blocked.
 *
 * Or a table of the administrator's, with his own rules: then only entries are made and taken away. They
 * carry no mark, so that each address is looked at before it is put in, and what was there already stays.
 */
import type { Driver, DriverKind, Effect, Examined, Question, Settings } from '../driver.ts';
import type { Step } from '../step.ts';
import type { AddressTarget } from '../target.ts';
import { changeTable, ownTable, type Place, placeOf } from './pf-commands.ts';
import { probe } from './pf-probe.ts';
import { inspect } from './pf-reading.ts';
import { hindrance } from './pf-room.ts';
import { askEntries, askTables, readContent } from './pf-tables.ts';

/**
 * Of what pfctl reads it acts on half a line, too: cut short, 203.0.113.17 is the address of somebody
 * else. 150 lines are 7 kB at most, which a pipe takes in one write (8 kB, net.local.stream.sendspace),
 * so that an agent that is killed leaves a whole batch or none.
 */
const linesAtOnce = 150;

export const pf: DriverKind<AddressTarget> = {
  name: 'pf',
  defaults: { anchor: 'ar-exec', table: ownTable, rules: 'ours', token: '' },
  // What is below com.apple is called by the main ruleset as it comes with macOS.
  defaultsOn: (system) =>
    system === 'darwin' ? { anchor: 'com.apple/ar-exec', token: '/var/run/ar-exec.pf-token' } : {},
  about: {
    systems: ['FreeBSD', 'OpenBSD', 'macOS'],
    add: '`pfctl`: puts it into a table whose packets are dropped in both directions',
    remove: '`pfctl`: takes it out of the table',
    options: ['pf/anchor', 'pf/table'],
  },
  make: (settings: Settings): Driver<AddressTarget> => {
    const place = placeOf(settings);
    return {
      name: 'pf',
      settings,
      traits: {
        selfExpiring: false,
        prefixes: true,
        batchSize: linesAtOnce,
        // A state goes on letting packets through, whatever rules say.
        leavesFlows: true,
        ...(place.ours ? {} : { unmarked: true }),
      },
      probe: probe(place),
      inspect: inspect(place),
      hindrance: (count) => hindrance(place, count),
      ...(place.ours ? {} : { examine: (target: AddressTarget) => examine(place, target) }),
      container: () => (place.ours ? place.anchor : undefined),
      apply: (effects) => change(place, 'add', effects),
      revert: (effects) => change(place, 'delete', effects),
    };
  },
};

function change(
  place: Place,
  command: 'add' | 'delete',
  effects: readonly Effect<AddressTarget>[],
): Step[] {
  const targets = effects.filter(wasAbsent).map(({ target }) => target);
  const count = Math.ceil(targets.length / linesAtOnce);
  return Array.from({ length: count }, (_, index) =>
    changeTable(place, command, targets.slice(index * linesAtOnce, (index + 1) * linesAtOnce)),
  );
}

/** In a table of the administrator's: what stood there before us is neither changed nor taken away. */
function wasAbsent({ memory }: Effect<AddressTarget>): boolean {
  return memory?.['before'] !== 'present';
}

function examine(place: Place, target: AddressTarget): Question<Examined> {
  return {
    steps: [askTables(place), askEntries(place)],
    read: ([tables, shown]) => {
      const content = readContent(place, tables, shown);
      if (content.there !== 'yes') {
        const why = content.there === 'no' ? `there is no table <${place.table}>` : content.why;
        return { fit: 'unknown', why };
      }
      const isThis = ({ text }: AddressTarget): boolean => text === target.text;
      // pfctl would say that nothing went wrong, and leave the exception (PFR_FB_CONFLICT).
      if (content.exceptions.some(isThis)) {
        return { fit: false, refusal: 'protected', why: `is an exception in <${place.table}>` };
      }
      return content.entries.some(isThis)
        ? { fit: true, memory: { before: 'present' }, preExisting: true }
        : { fit: true, memory: { before: 'absent' } };
    },
  };
}
