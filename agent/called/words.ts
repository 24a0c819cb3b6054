/**
 * The way that OSSEC, and Wazuh until 4.1, start a script: the words say what to do, and nobody answers.
 *
 *     firewall-drop.sh add - 203.0.113.7 1609869.80794 554 (web) any->/var/log/auth.log - -
 *
 * The first line of the log is what their decoders read: the date, the path, and the first five words
 * (OSSEC source: active-response/*.sh, etc/decoder.xml).
 */
import { cDate } from '../observe/c-date.ts';
import type { Door } from './conversation.ts';
import type { Called } from './name.ts';
import { tell } from './outcome.ts';

/** Resolves with the exit status. */
export async function runWords(
  called: Called,
  words: readonly string[],
  { log, print, ask }: Door,
): Promise<number> {
  const { program, target, foreign } = called;
  const [verb, user = '', srcip = ''] = words;
  const first = [0, 1, 2, 3, 4].map((index) => printable(words[index] ?? ''));
  log.plain([cDate(new Date()), program, ...first].join(' '));
  const fail = (why: string): number => {
    log.plain(`${cDate(new Date())} Unable to run active response (${why}).`);
    return 1;
  };

  if (verb !== 'add' && verb !== 'delete') {
    print(`${program}: invalid action: ${printable(verb ?? '')}\n`);
    return 1;
  }
  if ((target === 'address' && srcip === '') || (target === 'user' && user === '')) {
    print(`${program}: <action> <username> <ip>\n`);
    return 1;
  }
  if (target === 'address' && !/[.:]/.test(srcip)) return fail(`invalid IP: '${printable(srcip)}'`);
  if (foreign !== undefined) return foreign.status === 0 ? 0 : 1;
  const reply = await ask({ id: 1, command: 'call', program: called.known, words });
  const { lines, done } = tell(reply, { verb, method: false });
  if (!done) return fail(lines.join('; '));
  for (const line of lines) log.plain(`${cDate(new Date())} ${program}: ${line}`);
  return 0;
}

function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\u2028\u2029]+/gu, ' ');
}
