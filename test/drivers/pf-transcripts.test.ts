/** The simulated pfctl says what the real ones said. */
import { afterEach, describe, expect, test, vi } from 'vitest';
import { createSimMachine, type SimMachine } from '../sim/machine.ts';
import { simulate } from '../sim/pfctl.ts';
import type { Answer, Parts, SimSystem } from '../sim/simulator.ts';
import { type Exchange, readTranscript } from '../sim/transcript.ts';

/** What `self` stood for there, in the order of the machine's interfaces. */
const selves: Partial<Record<SimSystem, readonly string[]>> = {
  freebsd13: [
    ...['127.0.0.1', '192.0.2.1', '::1', '2001:db8:0:1::1', 'fe80::1', 'fe80::a1:cbff:fe46:e30a'],
  ],
  freebsd15: [
    ...['127.0.0.1', '192.0.2.1', '::1', '2001:db8:0:1::1', 'fe80::1', 'fe80::7cc3:51ff:fe2a:1185'],
  ],
  openbsd76: [
    ...['127.0.0.1', '192.0.2.1', '192.0.2.2', '192.0.2.66', '::1', 'fe80::1', 'fe80::1'],
    ...['2001:db8:0:1::1', '2001:db8:0:1::2', 'fe80::fce1:baff:fed0:c194', '::1', '127.0.0.1'],
    ...['fe80::fce1:baff:fed1:4f28'],
  ],
};

const transcripts = [
  ['freebsd13', 'pf-tables.freebsd13.txt'],
  ['freebsd13', 'pf-anchors.freebsd13.txt'],
  ['freebsd15', 'pf-tables.freebsd15.txt'],
  ['openbsd76', 'pf-tables.openbsd76.txt'],
] as const;

/** Nothing here can say the same, because … */
const unrepeatable: readonly (readonly [like: RegExp, why: string])[] = [
  [/^sh -c sh \/root\/\w+\.sh 2>&1$/, 'the script was not recorded'],
  [/^pfctl$/, 'FreeBSD 13: what failed there was what took the record'],
  [/^sh -c printf/, 'OpenBSD: there was no printf, and no place to write to'],
];

/** Those whose scripts were not recorded; pf.test.ts holds the simulators to what they found. */
const scripts = [
  ...['pf-limits.freebsd13.txt', 'pf-limits.freebsd15.txt', 'pf-states.openbsd76.txt'],
  ...['pf-states1.freebsd13.txt', 'pf-states1.freebsd15.txt', 'pf-states2.freebsd15.txt'],
];

// Real shells, and each tool a process.
vi.setConfig({ testTimeout: 60_000 });

const table = { persist: true, entries: ['1.2.3.4'] };

let machine: SimMachine | undefined;
afterEach(async () => {
  await machine?.close();
  machine = undefined;
});

describe.each(transcripts)('%s: %s', (system, file) => {
  test('is said again', async () => {
    // A table of this name was there from the run before.
    const tables = file === 'pf-anchors.freebsd13.txt' ? { 'a b': table } : {};
    const parts: Parts = { pf: { self: selves[system], anchors: { '': { rules: [], tables } } } };
    machine = await createSimMachine({
      system,
      tools: { pfctl: 'pfctl.ts' },
      files: { '/root/here': '' },
    });
    const shell = machine;
    const passed: string[] = [];
    for (const exchange of readTranscript(file)) {
      if (isUnrepeatable(exchange, system, file)) {
        passed.push(exchange.command);
        continue;
      }
      const said = exchange.command.startsWith('sh -c ')
        ? await inShell(shell, parts, exchange.command)
        : call(system, parts, exchange.command);
      const { stdout, stderr, exitCode } = exchange;
      expect(said, `${file}:${exchange.line}: ${exchange.command}`).toEqual({
        stdout,
        stderr,
        exitCode,
      });
    }
    expect(passed.length).toBeLessThan(readTranscript(file).length / 4);
  });
});

test.each(scripts)('%s is the run of a script that was not recorded', (file) => {
  for (const { command } of readTranscript(file))
    expect(command).toMatch(unrepeatable[0]?.[0] ?? '');
});

function isUnrepeatable({ command, stderr }: Exchange, system: SimSystem, file: string): boolean {
  const [script, bare, written] = unrepeatable.map(([like]) => like.test(command));
  if (bare) return file === 'pf-anchors.freebsd13.txt' && stderr.includes('Traceback');
  return script === true || (written === true && system === 'openbsd76');
}

/** Typed with single blanks between the words: two stand for a word that is empty. */
function call(system: SimSystem, parts: Parts, command: string): Omit<Answer, 'hangs'> {
  // One word with a blank in it.
  const [tool = '', ...args] = command.replace('-t a b', '-t a\0b').split(' ');
  const { stdout, stderr, exitCode } = simulate(
    {
      tool,
      args: args.map((word) => word.replace('\0', ' ')),
      stdin: '',
      system,
      switches: {},
      readFile: () => undefined,
      writeFile: () => {},
    },
    parts,
  );
  return { stdout, stderr, exitCode };
}

/** By a real shell, whose pf.conf is the machine's. */
async function inShell(shell: SimMachine, parts: Parts, command: string) {
  await shell.setParts(parts);
  const config = shell.path('/root/pf.conf');
  const script = command.replace('sh -c ', '').replace('> /root/pf.conf', `> '${config}'`);
  const said = await shell.shell(script);
  Object.assign(parts, await shell.parts());
  return said;
}
