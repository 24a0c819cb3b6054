/** A Windows of its own: all the tools of it that are simulated. */
import { wordsOfCommandLine } from './command-line.ts';
import { simulate as net } from './net.ts';
import { simulate as netsh } from './netsh.ts';
import { createQuickMachine, type QuickMachine } from './quick-machine.ts';
import { simulate as reg } from './reg.ts';
import { simulate as sc } from './sc-query.ts';
import type { Answer, Switches } from './simulator.ts';
import { simulate as route } from './windows-route.ts';

export function createQuickWindows(switches: Switches = {}): QuickMachine {
  const machine = createQuickMachine('windows11', { net, netsh, reg, sc, route });
  machine.switches = switches;
  return machine;
}

/** The same tools as modules, for machines whose tools are processes. */
export const windowsTools = {
  netsh: 'netsh.ts',
  reg: 'reg.ts',
  sc: 'sc-query.ts',
  route: 'windows-route.ts',
} as const;

/** A call as a recorder has it that stands in the place of one of these tools. */
interface RecordedCall {
  /** Its name in small letters, without `.exe`. */
  readonly tool: string;
  /** What CreateProcess was given. */
  readonly commandLine: string;
  readonly stdin: string;
}

/** Answers calls of tools that are recorded elsewhere, as this machine would. */
export function answerAs(machine: QuickMachine): (call: RecordedCall) => Answer {
  return ({ tool, commandLine, stdin }) => {
    const [, ...args] = wordsOfCommandLine(commandLine);
    return machine.call([tool, ...args], stdin);
  };
}
