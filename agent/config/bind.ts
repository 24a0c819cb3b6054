/** Finds the command that each active response names, in one file or two. */
import type { ActiveResponse } from '../words.ts';
import type { ActiveResponseBlock } from './active-responses.ts';
import type { DefinedCommand } from './commands.ts';
import { nearest } from './nearest.ts';
import { type Place, quote, type Remark, remarkAt } from './place.ts';

/** Where a command of that name may be defined. */
export interface Scope {
  /** In the file that names it. */
  readonly here: ReadonlyMap<string, DefinedCommand>;
  /** In the other one. */
  readonly elsewhere: ReadonlyMap<string, DefinedCommand>;
  /** Where both have one, the other file's counts. */
  readonly elsewhereFirst: boolean;
  /** Names that are a response here without being defined. */
  readonly responses: readonly string[];
}

interface Bound {
  readonly activeResponses: readonly ActiveResponse[];
  readonly remarks: readonly Remark[];
}

/** So many names are looked through for one that is like the one that was written. */
const mostCompared = 200;

export function bind(blocks: readonly ActiveResponseBlock[], scope: Scope): Bound {
  const remarks: Remark[] = [];
  const compared = [...scope.here.keys(), ...scope.elsewhere.keys()].slice(0, mostCompared);
  const activeResponses = blocks.flatMap((block): ActiveResponse[] => {
    const found = find(block.commandName, scope);
    if (found === undefined) {
      remarks.push(...undefinedCommand(block, { ...scope, compared }));
      return [];
    }
    const { definition } = found;
    const here = scope.here.get(block.commandName);
    if (here === found && isBefore(block, here)) {
      const message = `the command ${quote(definition.name)} is defined further down, on line ${here.line}: it counts here, but a manager wants it before`;
      remarks.push(remarkAt(block.commandAt, message));
    }
    const { timeoutSeconds } = block.said;
    if (timeoutSeconds === undefined || definition.timeoutAllowed) {
      return [{ ...block.said, command: definition }];
    }
    const where = here === found ? ` of line ${here.line}` : '';
    const message = `the timeout does not count, since the command ${quote(definition.name)}${where} does not allow one: ${allowIt}`;
    remarks.push(remarkAt(block.timeoutAt, message));
    return [{ ...block.said, timeoutSeconds: undefined, command: definition }];
  });
  return { activeResponses, remarks };
}

const allowIt = 'write <timeout_allowed>yes</timeout_allowed> into its <command>';

function find(name: string, { here, elsewhere, elsewhereFirst }: Scope) {
  const [first, second] = elsewhereFirst ? [elsewhere, here] : [here, elsewhere];
  return first.get(name) ?? second.get(name);
}

function isBefore(one: Place, other: Place): boolean {
  return one.line < other.line || (one.line === other.line && one.column < other.column);
}

/** With the name mended the timeout may be the next thing that does not work: that is said as well. */
function undefinedCommand(
  block: ActiveResponseBlock,
  scope: Scope & { readonly compared: readonly string[] },
): Remark[] {
  const { commandName: name, commandAt, timeoutAt, said } = block;
  if (name === '') {
    return [remarkAt(commandAt, 'this active response is not taken: its <command> is empty')];
  }
  const near = nearest(name, scope.compared);
  const meant = near === undefined ? undefined : find(near, scope)?.definition;
  const start = `this active response is not taken: no <command> has the name ${quote(name)}.`;
  const remarks = [remarkAt(commandAt, `${start}${mend(block, near, scope)}`)];
  if (meant !== undefined && !meant.timeoutAllowed && said.timeoutSeconds !== undefined) {
    const message = `the command ${quote(meant.name)}, if that is meant, does not allow a timeout: ${allowIt}`;
    remarks.push(remarkAt(timeoutAt, message));
  }
  return remarks;
}

function mend(block: ActiveResponseBlock, near: string | undefined, scope: Scope): string {
  const { commandName: name, said } = block;
  if (scope.responses.includes(name)) {
    const timed = said.timeoutSeconds === undefined ? '' : '<timeout_allowed>yes</timeout_allowed>';
    return ` Define it: <command><name>${name}</name><executable>${name}</executable>${timed}</command>`;
  }
  return near === undefined ? '' : ` Did you mean "${near}"?`;
}
