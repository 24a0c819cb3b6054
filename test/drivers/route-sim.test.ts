/** The simulated route and netstat against what the real ones said. */
import { describe, expect, test } from 'vitest';
import { createSimMachine } from '../sim/machine.ts';
import { simulate as netstat } from '../sim/netstat.ts';
import { createQuickMachine } from '../sim/quick-machine.ts';
import { simulate as route } from '../sim/route.ts';
import type { SimSystem } from '../sim/simulator.ts';
import { type Exchange, readTranscript } from '../sim/transcript.ts';

const recorded: readonly SimSystem[] = ['freebsd13', 'freebsd15', 'openbsd76'];

describe.each(recorded)('%s', (system) => {
  const exchanges = readTranscript(`route.${system}.txt`);

  test('says what the real one said, line by line', () => {
    expect(exchanges.length).toBeGreaterThan(50);
    const machine = createQuickMachine(system, { route, netstat });
    for (const exchange of exchanges) {
      const { command, line } = exchange;
      expect({ line, ...said(system, machine.call(command.split(' '))) }).toEqual({
        line,
        ...said(system, exchange),
      });
    }
  });

  test('says it as a process, too', { timeout: 60_000 }, async () => {
    const tools = { route: 'route.ts', netstat: 'netstat.ts' };
    const machine = await createSimMachine({ system, tools });
    try {
      for (const exchange of exchanges.slice(0, 6)) {
        const answer = await machine.shell(exchange.command);
        expect(said(system, answer)).toEqual(said(system, exchange));
      }
    } finally {
      await machine.close();
    }
  });
});

test.each(['netbsd10', 'dragonfly6', 'macos14'] satisfies SimSystem[])(
  '%s refuses what nobody has seen it do',
  (system) => {
    const machine = createQuickMachine(system, { route, netstat });
    for (const line of [
      'route -n show -inet',
      'route -n flush -x',
      'route -n add 10.1 127.0.0.1',
      'route -n -v get 10.0.0.1',
      'netstat -rn',
    ]) {
      expect(machine.call(line.split(' ')).exitCode, line).not.toBe(0);
    }
  },
);

const said = (
  system: SimSystem,
  { stdout, stderr, exitCode }: Omit<Exchange, 'command' | 'line'>,
) => ({
  stdout: system === 'openbsd76' ? withoutCounts(stdout) : stdout,
  stderr,
  exitCode,
});

/** OpenBSD counts the uses and the users of a route, and the seconds that a neighbour is remembered. */
function withoutCounts(text: string): string {
  return text
    .replace(/^( +)\d+( +\d+L? +)\d+ $/gm, '# $2 #')
    .replace(/^(.{37} \S+ +)\d+ +\d+( +(?:-|\d+) {1,2}[L ])/gm, '$1# #$2');
}
