/**
 * What the managers' parts of ar-exec's own file and of the manager's file come to together. What
 * ar-exec's own file says wins.
 */
import type { CommandDefinition } from '../words.ts';
import { bind } from './bind.ts';
import type { DefinedCommand } from './commands.ts';
import type { ManagerPart } from './manager-part.ts';
import type { Remark } from './place.ts';
import type { Config } from './settings.ts';

interface Parts {
  readonly part: ManagerPart;
  readonly known: { readonly responses: readonly string[] };
}

/** The part of a configuration in which the manager's file has a say. */
export type FromManagers = Pick<
  Config,
  | 'neverBlock'
  | 'managers'
  | 'commands'
  | 'activeResponses'
  | 'activeResponseDisabled'
  | 'repeatedOffenderSeconds'
>;

interface Merged {
  readonly fromManagers: FromManagers;
  readonly ownRemarks: readonly Remark[];
  readonly managerRemarks: readonly Remark[];
}

export function mergeParts(
  { part: own, known }: Parts,
  managers: { readonly part: ManagerPart } | undefined,
): Merged {
  const other = managers?.part;
  const [ours, theirs] = [byName(own), byName(other)];
  const { responses } = known;
  const bound = bind(own.activeResponses.blocks, {
    here: ours,
    elsewhere: theirs,
    elsewhereFirst: false,
    responses,
  });
  // Whoever says in the own file when a command runs means: then, and not as the manager has it.
  const said = new Set(own.activeResponses.blocks.map(({ commandName }) => commandName));
  const left = (other?.activeResponses.blocks ?? []).filter((one) => !said.has(one.commandName));
  const boundThere = bind(left, {
    here: theirs,
    elsewhere: ours,
    elsewhereFirst: true,
    responses,
  });
  return {
    fromManagers: {
      neverBlock: [...own.neverBlock, ...(other?.neverBlock ?? [])],
      managers: [...new Set([...own.managers, ...(other?.managers ?? [])])],
      commands: merge(ours, theirs),
      activeResponses: [...bound.activeResponses, ...boundThere.activeResponses],
      activeResponseDisabled:
        own.activeResponses.disabled ?? other?.activeResponses.disabled ?? false,
      repeatedOffenderSeconds:
        own.activeResponses.repeatedOffenders ?? other?.activeResponses.repeatedOffenders ?? [],
    },
    ownRemarks: bound.remarks,
    managerRemarks: boundThere.remarks,
  };
}

function byName(part: ManagerPart | undefined): ReadonlyMap<string, DefinedCommand> {
  return new Map((part?.commands ?? []).map((one) => [one.definition.name, one]));
}

function merge(
  ours: ReadonlyMap<string, DefinedCommand>,
  theirs: ReadonlyMap<string, DefinedCommand>,
): CommandDefinition[] {
  return [...new Map([...theirs, ...ours]).values()].map(({ definition }) => definition);
}
