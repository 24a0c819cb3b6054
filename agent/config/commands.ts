/** `<command>`: the names that a manager asks by, and what they stand for. */
import type { CommandDefinition } from '../words.ts';
import { type Block, readBlock, readYesNo } from './block.ts';
import { type Place, quote, type Remark, remarkAt } from './place.ts';
import { alternativesIn, type Element } from './xml.ts';

/** A definition and where it stands. */
export interface DefinedCommand extends Place {
  readonly definition: CommandDefinition;
}

const known = ['name', 'executable', 'expect', 'timeout_allowed', 'extra_args'];
/** What an alert can be asked to carry; managers know the user by two names. */
const data: Readonly<Record<string, CommandDefinition['expect'][number]>> = {
  srcip: 'srcip',
  user: 'user',
  username: 'user',
  filename: 'filename',
};
const plainName = /^[A-Za-z0-9_][A-Za-z0-9._+@-]{0,63}$/;

/** The commands that blocks define. Of several with one name the first counts. */
export function readCommands(blocks: readonly Element[]): {
  commands: readonly DefinedCommand[];
  remarks: readonly Remark[];
} {
  const commands = new Map<string, DefinedCommand>();
  const remarks: Remark[] = [];
  for (const element of blocks) {
    const block = readBlock(element, { known });
    const definition = readCommand(element, block);
    remarks.push(...block.remarks, ...block.faults.map(asNotTaken));
    if (definition === undefined || block.faults.length > 0) continue;
    const before = commands.get(definition.name);
    if (before === undefined) {
      commands.set(definition.name, { line: element.line, column: element.column, definition });
    } else {
      const message = `the command ${quote(definition.name)} is defined on line ${before.line} already: that one counts`;
      remarks.push(remarkAt(element, message));
    }
  }
  return { commands: [...commands.values()], remarks };
}

function readCommand(element: Element, block: Block): CommandDefinition | undefined {
  const name = block.fields.get('name')?.text ?? '';
  const executable = readExecutable(element, block);
  if (name === '') block.faults.push(remarkAt(element, 'a <command> needs a <name>'));
  else if (/\s/.test(name)) {
    block.faults.push(remarkAt(element, `the name ${quote(name)} has white space in it`));
  }
  const timeoutAllowed = block.take('timeout_allowed', 'yes, no', readYesNo) ?? false;
  const extraArgs = block.fields.get('extra_args')?.text.split(/\s+/) ?? [];
  return {
    name,
    executable,
    expect: readExpected(block),
    statesExpect: block.fields.has('expect'),
    timeoutAllowed,
    extraArgs: extraArgs.filter((word) => word !== ''),
  };
}

function readExecutable(element: Element, block: Block): string {
  const field = block.fields.get('executable');
  const text = field?.text ?? '';
  if (field === undefined || text === '') {
    block.faults.push(remarkAt(field ?? element, 'a <command> needs an <executable>'));
  } else if (!plainName.test(text)) {
    block.faults.push(remarkAt(field, `the executable ${quote(text)} ${whyNotPlain(text)}`));
  } else if (field.padded) {
    const message = `white space stands around the executable ${quote(text)}: a manager looks for a file with it in its name; here it counts without`;
    block.remarks.push(remarkAt(field, message));
  }
  return text;
}

function whyNotPlain(text: string): string {
  if (/[\\/]/.test(text) || text === '..') {
    return 'is a path: write the name of a file in the response folder, or of a response';
  }
  if (/\s/.test(text)) return 'has white space in it: arguments belong into <extra_args>';
  return 'is no plain file name';
}

function readExpected(block: Block): CommandDefinition['expect'] {
  const field = block.fields.get('expect');
  const words = field === undefined ? [] : alternativesIn(field);
  const expected = new Set<CommandDefinition['expect'][number]>();
  for (const word of words) {
    const meant = data[word.toLowerCase()];
    if (meant !== undefined) expected.add(meant);
    else if (field !== undefined) {
      const message = `<expect> names ${quote(word)}, which no alert carries: it is not taken; it knows srcip, user and filename`;
      block.remarks.push(remarkAt(field, message));
    }
  }
  return [...expected];
}

function asNotTaken(fault: Remark): Remark {
  return remarkAt(fault, `this command is not taken: ${fault.message}`);
}
