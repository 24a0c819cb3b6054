/**
 * `<active-response>`: when and where a command runs. A block with a condition that is not understood
 * is not taken at all: without it, it would answer alerts that it was never meant for.
 */
import type { ActiveResponse } from '../words.ts';
import { type Block, readBlock, readYesNo } from './block.ts';
import { readOffenders } from './offenders.ts';
import { type Place, quote, type Remark, remarkAt } from './place.ts';
import { alternativesIn, type Element } from './xml.ts';

/** An active response whose command is still a name. */
export interface ActiveResponseBlock extends Place {
  readonly commandName: string;
  readonly commandAt: Place;
  readonly timeoutAt: Place;
  readonly said: Omit<ActiveResponse, 'command'>;
}

export interface ActiveResponses {
  readonly blocks: readonly ActiveResponseBlock[];
  /** Whether everything is turned off, if that is said. */
  readonly disabled?: boolean | undefined;
  /** In seconds, if any block says it. */
  readonly repeatedOffenders?: readonly number[] | undefined;
  readonly remarks: readonly Remark[];
}

const conditions = ['location', 'agent_id', 'level', 'rules_id', 'rules_group', 'timeout'];
const known = ['disabled', 'command', ...conditions, 'repeated_offenders'];
/** Of these blocks managers make use for something else too: how agents are upgraded. */
const ignored = ['ca_store', 'ca_verification'];
/** Names for the places that managers know besides. */
const locations: Readonly<Record<string, ActiveResponse['location']>> = {
  local: 'local',
  server: 'server',
  analysisd: 'server',
  'analysis-server': 'server',
  as: 'server',
  'defined-agent': 'defined-agent',
  all: 'all',
  any: 'all',
};
/** Ten years, as for any timeout. */
const longestSeconds = 10 * 365 * 86_400;

export function readActiveResponses(elements: readonly Element[]): ActiveResponses {
  const blocks: ActiveResponseBlock[] = [];
  const remarks: Remark[] = [];
  let disabled: boolean | undefined;
  for (const element of elements) {
    const block = readBlock(element, { known, ignored });
    const off = block.take('disabled', 'yes, no', readYesNo);
    if (block.fields.has('command')) {
      const read = readActiveResponse(element, block, off ?? false);
      if (block.faults.length === 0) blocks.push(read);
    } else {
      disabled = off ?? disabled;
      const condition = conditions.find((name) => block.fields.has(name));
      if (condition !== undefined) {
        block.faults.push(remarkAt(element, 'it names no <command>'));
      }
    }
    const faults = block.faults.map(({ message, ...at }) =>
      remarkAt(at, `this active response is not taken: ${message}`),
    );
    remarks.push(...block.remarks, ...faults);
  }
  const offenders = readOffenders(elements);
  return {
    blocks,
    disabled,
    repeatedOffenders: offenders.seconds,
    remarks: [...remarks, ...offenders.remarks],
  };
}

function readActiveResponse(element: Element, block: Block, disabled: boolean) {
  const { fields, remarks } = block;
  const command = fields.get('command') ?? element;
  const location = readLocation(element, block);
  const level = block.take('level', '0 to 16', (text) => readNumber(text, 16));
  const ruleIds = readList(block, 'rules_id', /^\d{1,10}$/, 'numbers of rules');
  const ruleGroups = readList(block, 'rules_group', /./, 'names of groups of rules');
  if (level === undefined && ruleIds === undefined && ruleGroups === undefined) {
    remarks.push(
      remarkAt(element, 'this active response names no level, rule or group: nothing sets it off'),
    );
  }
  return {
    line: element.line,
    column: element.column,
    commandName: command.text,
    commandAt: command,
    timeoutAt: fields.get('timeout') ?? element,
    said: {
      disabled,
      location,
      agentIds: readAgentIds(element, block, location),
      level,
      ruleGroups,
      ruleIds,
      timeoutSeconds: readTimeout(block),
    },
  };
}

function readLocation(element: Element, block: Block): ActiveResponse['location'] {
  if (!block.fields.has('location')) {
    const message = 'this active response names no <location>: it is taken for "local"';
    block.remarks.push(remarkAt(element, message));
  }
  const form = 'local, server, defined-agent, all';
  return block.take('location', form, (text) => locations[text.toLowerCase()]) ?? 'local';
}

function readAgentIds(
  element: Element,
  block: Block,
  location: ActiveResponse['location'],
): readonly string[] {
  const ids = readList(block, 'agent_id', /^\d{1,10}$/, 'numbers of agents, like 001') ?? [];
  const field = block.fields.get('agent_id');
  if (location === 'defined-agent' && field === undefined) {
    const message = 'the location is defined-agent and there is no <agent_id>: it runs nowhere';
    block.remarks.push(remarkAt(block.fields.get('location') ?? element, message));
  } else if (location !== 'defined-agent' && field !== undefined) {
    const message = `<agent_id> does not count where the location is ${location}`;
    block.remarks.push(remarkAt(field, message));
  }
  return location === 'defined-agent' ? ids : [];
}

function readTimeout(block: Block): number | undefined {
  const form = 'whole seconds, 0 for no end';
  const seconds = block.take('timeout', form, (text) => readNumber(text, Infinity));
  if (seconds === undefined || seconds === 0) return undefined;
  if (seconds <= longestSeconds) return seconds;
  const field = block.fields.get('timeout');
  if (field !== undefined) {
    block.remarks.push(
      remarkAt(field, `${quote(field.text)} seconds are more than 10 years: 10 years count`),
    );
  }
  return longestSeconds;
}

/** A list that holds something, if it is given. */
function readList(block: Block, name: string, word: RegExp, form: string) {
  const field = block.fields.get(name);
  return block.take(name, `${form}, separated by commas`, () => {
    const words = field === undefined ? [] : alternativesIn(field);
    return words.length > 0 && words.every((one) => word.test(one)) ? words : undefined;
  });
}

function readNumber(text: string, most: number): number | undefined {
  const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
  return value <= most ? value : undefined;
}
