/**
 * The Windows firewall by `netsh advfirewall`: few rules of ours, each with up to some hundred
 * addresses, that block whatever comes from them and goes to them. What stands is read from the
 * registry, because netsh translates what it prints.
 */
import type { Driver, DriverKind, Reading, Settings, Usability } from '../driver.ts';
import type { CommandStep, StepResult } from '../step.ts';
import type { AddressTarget } from '../target.ts';
import { askState, readState } from './firewall-state.ts';
import { planApply, planRevert, planTeardown } from './netsh-plan.ts';
import { effectsIn, readSlots } from './netsh-slots.ts';

/** Those that one process is told of: three slots, six lines. */
const batchSize = 500;

/** The key of the account LocalService, which only administrators may read. */
const askElevated: CommandStep = {
  kind: 'command',
  tool: 'reg',
  args: ['query', 'HKU\\S-1-5-19'],
};
const askNetsh: CommandStep = { kind: 'command', tool: 'netsh', args: ['advfirewall', '?'] };

export const netsh: DriverKind<AddressTarget> = {
  name: 'netsh',
  defaults: { rules: 'ar-exec' },
  about: {
    systems: ['Windows'],
    add: '`netsh`: puts it into rules of the Windows firewall that block both directions',
    remove: '`netsh`: takes it out of the rules',
    options: [],
  },
  make: (settings: Settings): Driver<AddressTarget> => {
    const prefix = settings['rules'] ?? 'ar-exec';
    return {
      name: 'netsh',
      settings,
      traits: {
        selfExpiring: false,
        prefixes: true,
        batchSize,
        plansFromReading: true,
        statusTellsNothing: true,
      },
      probe: { steps: [...askState, askElevated, askNetsh], read: readProbe },
      inspect: { steps: askState, read: (results) => read(prefix, results) },
      container: () => undefined,
      apply: (effects) => planApply(prefix, [], effects),
      revert: (effects) => planRevert(prefix, [], effects),
    };
  },
};

function readProbe(results: readonly StepResult[]): Usability {
  const unusable = (why: string, more: Partial<Usability> = {}): Usability => ({
    usable: false,
    why,
    families: [],
    ...more,
  });
  const [elevated, tool] = results.slice(askState.length);
  if (tool?.failure === 'missing') return unusable('netsh is not there');
  if (elevated?.failure !== undefined) return unusable('only an administrator may change rules');
  const state = readState(results);
  // While the machine starts, its services do not all run yet, nor answer.
  if (!state.known) return unusable(state.why, { again: true });
  const { idle, partly, findings } = state;
  if (idle !== undefined) return unusable(idle, { findings, again: true });
  const why = `rules of the Windows firewall${partly === undefined ? '' : `; ${partly}`}`;
  return { usable: true, why, families: [4, 6], findings };
}

function read(prefix: string, results: readonly StepResult[]): Reading<AddressTarget> {
  const state = readState(results);
  if (!state.known) return state;
  const slots = readSlots(prefix, state.keys);
  return {
    known: true,
    containers: [],
    effects: effectsIn(slots),
    foreign: [],
    ...(state.idle === undefined ? {} : { trouble: state.idle }),
    setup: () => [],
    teardown: () => planTeardown(slots),
    plan: {
      obstacle: state.idle,
      apply: (effects) => planApply(prefix, slots, effects),
      revert: (effects) => planRevert(prefix, slots, effects),
    },
  };
}
