/** What every driver promises, for pf on each system that has it. */
import { describe } from 'vitest';
import { pf } from '../../platform/bsd/pf.ts';
import { type DriverCase, driverContract } from '../contract/driver-contract.ts';
import {
  createPfMachine,
  dumpPf,
  ownAnchor,
  type PfMachine,
  type PfSystem,
  pfSystems,
  settingsOn,
} from './pf-machine.ts';

/** A table of somebody else, with neighbours of ours, in the main ruleset and in an anchor. */
async function plantForeign(machine: PfMachine): Promise<void> {
  for (const anchor of [[], ['-a', 'theirs/here']]) {
    const add = ['-T', 'add', '203.0.113.7', '198.51.100.0/24', '!198.51.100.9', '2001:db8::7'];
    await machine.exec(['pfctl', ...anchor, '-t', 'ossec_fwtable', ...add]);
  }
  await machine.exec(['pfctl', '-a', 'theirs/here', '-f', '-'], 'block in from <ossec_fwtable>\n');
}

const asPf = <Result>(act: (machine: PfMachine) => Result) =>
  ((machine: PfMachine) => act(machine)) as DriverCase['dump'] & ((machine: never) => Result);

describe.each(pfSystems)('%s', (system: PfSystem) => {
  const anchor = ownAnchor(system);
  driverContract({
    name: 'pf keeps the contract',
    kind: pf,
    settings: settingsOn(system),
    machine: () => createPfMachine(system),
    dump: asPf(async (machine) => dumpPf(machine)),
    plantForeign: asPf(plantForeign),
    damages: {
      'the rules of our anchor are flushed': ({ exec }) =>
        exec(['pfctl', '-a', anchor, '-F', 'rules']),
      'our anchor is flushed': ({ exec }) => exec(['pfctl', '-a', anchor, '-F', 'all']),
      'our table is gone': ({ exec }) =>
        exec(['pfctl', '-a', anchor, '-t', 'ar_exec', '-T', 'kill']),
      'another rule stands in our anchor': ({ exec }) =>
        exec(['pfctl', '-a', anchor, '-f', '-'], 'pass in quick from <ar_exec>\n'),
      ...(system === 'macos14'
        ? { 'pf is disabled for all': ({ exec }) => exec(['pfctl', '-d']) }
        : {}),
    },
  });

  driverContract({
    name: 'pf keeps the contract with a table of the administrator',
    kind: pf,
    settings: { anchor: '', table: 'bad_hosts', rules: 'theirs', token: '' },
    machine: async () => {
      const machine = await createPfMachine(system);
      machine.pf.enabled = true;
      await machine.load('table <bad_hosts> persist', 'block in quick from <bad_hosts>');
      return machine;
    },
    dump: asPf(async (machine) => dumpPf(machine)),
    plantForeign: asPf(plantForeign),
    damages: {},
  });
});
