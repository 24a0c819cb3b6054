/**
 * A simulated machine without processes, for tests that run very many tools: a simulator is called as
 * it is. What becomes of an answer is what agent/system/run-command.ts makes of one.
 */
import type { Runner, StepResult } from '../../platform/step.ts';
import type { Machine } from '../contract/driver-contract.ts';
import type { Answer, Parts, SimSystem, Simulator, Switches } from './simulator.ts';

export interface QuickMachine extends Machine {
  readonly parts: Parts;
  switches: Switches;
  /** The command lines that were run, in their order. */
  readonly ran: readonly string[];
  call(argv: readonly string[], stdin?: string): Answer;
}

export function createQuickMachine(
  system: SimSystem,
  tools: Readonly<Record<string, Simulator>>,
): QuickMachine {
  const parts: Parts = {};
  const ran: string[] = [];
  const files = new Map<string, string>();
  const call = ([tool = '', ...args]: readonly string[], stdin = ''): Answer => {
    const simulate = tools[tool];
    if (simulate === undefined) throw new Error(`no ${tool} here`);
    const { switches } = machine;
    const readFile = (path: string) => files.get(path);
    const writeFile = (path: string, text: string) => void files.set(path, text);
    return simulate({ tool, args, stdin, system, switches, readFile, writeFile }, parts);
  };
  const run: Runner = async (step): Promise<StepResult> => {
    if (step.kind !== 'command') throw new Error(`${step.kind} is not simulated`);
    const { tool, args, stdin } = step;
    ran.push([tool, ...args].join(' '));
    if (tools[tool] === undefined || machine.switches.missing?.includes(tool)) {
      return { failure: 'missing', stdout: '', stderr: `${tool} is not there` };
    }
    if (machine.switches.hang?.includes(tool)) {
      return { failure: 'timeout', stdout: '', stderr: `${tool} took too long` };
    }
    const { exitCode, stdout, stderr, hangs } = call([tool, ...args], stdin);
    if (hangs === true) {
      return { failure: 'timeout', stdout: '', stderr: `${tool} took too long` };
    }
    return exitCode === 0
      ? { exitCode, stdout, stderr }
      : { failure: 'exit', exitCode, stdout, stderr };
  };
  const machine: QuickMachine = {
    parts,
    switches: {},
    ran,
    call,
    run,
    exec: async (argv, input) => {
      const { exitCode, stdout, stderr } = call(argv, input);
      if (exitCode !== 0) throw new Error(`${argv.join(' ')}: ${exitCode}: ${stderr || stdout}`);
      return stdout;
    },
    close: async () => {},
  };
  return machine;
}
