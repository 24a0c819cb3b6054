/**
 * netsh.exe: `advfirewall` and the routes of `interface ipv6`, from its words or, without any, typed
 * line by line. Its manuals say what it takes; what it answers is in windows-words.ts.
 *
 * Switches: `limited`, no administrator; `stopped`, services; `lineLimit`, how many characters of a line
 * that is typed are read at once; `reads`, how many bytes of what is typed it lives for; `consoleExit`,
 * the status after `exit`.
 */
import { firewallCommand } from './netsh-firewall.ts';
import { interfaceCommand } from './netsh-interface.ts';
import type { Answer, Call, Parts, Simulator } from './simulator.ts';
import { filled, print, unknown, wordsOf } from './windows-words.ts';

/** CreateProcess takes no longer command line. */
const longestCommandLine = 32_767;

export const simulate: Simulator = (call, parts) => {
  const { args } = call;
  if (['netsh', ...args].join(' ').length > longestCommandLine) {
    return unknown('a command line that is too long');
  }
  return args.length > 0 ? command(call, args, parts) : typed(call, parts);
};

function command(call: Call, args: readonly string[], parts: Parts): Answer {
  const [context = '', ...rest] = args.map((word, index) =>
    index < 2 ? word.toLowerCase() : word,
  );
  if (context === 'advfirewall') return firewallCommand(call, rest, parts);
  if (context === 'interface') return interfaceCommand(call, rest, parts);
  return print(1, [filled(wordsOf(call).notFound, args.join(' '))]);
}

/** It prompts, does what it reads, and goes on after what failed. */
function typed(call: Call, parts: Parts): Answer {
  const { stdin, switches } = call;
  const limit = Number(switches['lineLimit'] ?? Number.POSITIVE_INFINITY);
  const read = stdin.slice(0, Number(switches['reads'] ?? stdin.length));
  const status = Number(switches['consoleExit'] ?? 0);
  let stdout = '';
  for (const line of read.split(/\r?\n/).flatMap((one) => pieces(one, limit))) {
    stdout += 'netsh>';
    if (/^\s*(exit|bye|quit)\s*$/i.test(line)) break;
    if (line.trim() === '') continue;
    const answer = command(call, wordsIn(line), parts);
    if (answer.exitCode === 99) return answer;
    stdout += answer.stdout;
  }
  return { stdout, stderr: '', exitCode: status };
}

/** What does not fit is read as the next line. */
function pieces(line: string, limit: number): string[] {
  if (line.length <= limit) return [line];
  return [line.slice(0, limit), ...pieces(line.slice(limit), limit)];
}

/** Words with blanks in them are in quotation marks, or a part of them is. */
function wordsIn(line: string): string[] {
  const words = line.match(/(?:[^\s"]|"[^"]*"?)+/g) ?? [];
  return words.map((word) => word.replaceAll('"', ''));
}
