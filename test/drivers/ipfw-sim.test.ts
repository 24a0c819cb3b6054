/** The simulated ipfw against what the real ones said. */
import { describe, expect, test } from 'vitest';
import { simulate } from '../sim/ipfw.ts';
import { stateOf } from '../sim/ipfw-state.ts';
import { createSimMachine } from '../sim/machine.ts';
import { createQuickMachine } from '../sim/quick-machine.ts';
import type { SimSystem } from '../sim/simulator.ts';
import { readTranscript } from '../sim/transcript.ts';

/** A transcript has no quotes: where one word had a blank in it, or was empty. */
const asTyped = new Map([
  ['ipfw table y add bad input', ['ipfw', 'table', 'y', 'add', 'bad input']],
  ['ipfw -q table y add bad input', ['ipfw', '-q', 'table', 'y', 'add', 'bad input']],
  ['ipfw -q table zz add bad input', ['ipfw', '-q', 'table', 'zz', 'add', 'bad input']],
  ['ipfw table y add 1.2.3.4 5', ['ipfw', 'table', 'y', 'add', '1.2.3.4 5']],
  ['ipfw table blk add ', ['ipfw', 'table', 'blk', 'add', '']],
  ['ipfw table bad name create type addr', ['ipfw', 'table', 'bad name', 'create', 'type', 'addr']],
]);

/**
 * Not replayed: ipfw-bulk.freebsd13, ipfw-states.freebsd15 and freebsd13-packets are each the output of
 * a script that is not recorded, with packets between two machines, times and connections. What they say
 * of ipfw itself is tried below.
 */
describe.each([
  ['ipfw', 'freebsd13', 73, [200, 16_384]],
  ['ipfw', 'freebsd15', 73, [201, 16_520]],
  ['ipfw-extra', 'freebsd13', 14, [0, 0]],
  ['ipfw-extra', 'freebsd15', 14, [0, 0]],
] as const)('%s on %s', (name, system, count, counted) => {
  const exchanges = readTranscript(`${name}.${system}.txt`);

  test('says what the real one said, line by line', () => {
    expect(exchanges).toHaveLength(count);
    const machine = createQuickMachine(system, { ipfw: simulate });
    // Packets that passed while the transcript was made.
    stateOf(machine.parts).counted = counted;
    for (const { command, line, stdout, stderr, exitCode } of exchanges) {
      const argv = asTyped.get(command) ?? command.split(' ');
      expect({ line, ...machine.call(argv) }).toEqual({ line, stdout, stderr, exitCode });
    }
  });
});

test('a shell with the simulated ipfw gets the same', async () => {
  const exchanges = readTranscript('ipfw.freebsd13.txt').slice(0, 12);
  const machine = await createSimMachine({ system: 'freebsd13', tools: { ipfw: 'ipfw.ts' } });
  try {
    for (const { command, stdout, stderr, exitCode } of exchanges) {
      expect(await machine.shell(command)).toEqual({ stdout, stderr, exitCode });
    }
  } finally {
    await machine.close();
  }
}, 30_000);

describe('the unrecorded scripts', () => {
  const line = (machine: ReturnType<typeof createQuickMachine>, text: string) =>
    machine.call(text.split(' '));

  test('ipfw-bulk: a duplicate is an error without -q, and none with it', () => {
    const machine = createQuickMachine('freebsd13', { ipfw: simulate });
    line(machine, 'ipfw table b create type addr');
    line(machine, 'ipfw table b add 10.201.0.1');
    expect(line(machine, 'ipfw table b add 10.201.0.1 0 10.201.0.2 0').exitCode).toBe(71);
    expect(line(machine, 'ipfw -q table b add 10.201.0.1 0 10.201.0.3 0').exitCode).toBe(0);
    expect(line(machine, 'ipfw table b lookup 10.201.0.3').stdout).toBe('10.201.0.3/32 0\n');
    expect(line(machine, 'ipfw -q table b create').exitCode).toBe(71);
  });

  test('ipfw-states: a rule without a number comes behind an allow', () => {
    const machine = createQuickMachine('freebsd15', { ipfw: simulate });
    line(machine, 'ipfw add 1000 allow ip from any to any');
    line(machine, 'ipfw add deny ip from table(blk) to any');
    const exchange = readTranscript('ipfw-states.freebsd15.txt')[0];
    const listed = exchange?.stdout.split('\n').filter((one) => /^\d{5} /.test(one));
    expect(line(machine, 'ipfw list').stdout.trimEnd().split('\n')).toEqual(listed);
  });
});

describe('it refuses what nobody has seen it do', () => {
  test.each([
    'ipfw add 100 allow tcp from any to me 22',
    'ipfw table x create type flow:src-ip',
    'ipfw table x swap y',
    'ipfw set 5 delete 1',
    'ipfw enable firewall',
    'ipfw delete 1-9',
    'ipfw -S list',
  ])('%s', (command) => {
    for (const system of ['freebsd13', 'freebsd15'] satisfies SimSystem[]) {
      const machine = createQuickMachine(system, { ipfw: simulate });
      const { exitCode, stderr } = machine.call(command.split(' '));
      expect({ exitCode, stderr }).toEqual({
        exitCode: 99,
        stderr: expect.stringMatching(/^simulator: not known: /),
      });
    }
  });

  test('and every other system', () => {
    for (const system of ['dragonfly6', 'macos14'] satisfies SimSystem[]) {
      expect(createQuickMachine(system, { ipfw: simulate }).call(['ipfw', 'list']).exitCode).toBe(
        99,
      );
    }
  });
});
