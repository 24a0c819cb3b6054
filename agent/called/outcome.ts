import { inactiveLines } from '../observe/inactive.ts';
import type { Failure, Reply } from './ask-agent.ts';

/** What there is to tell of a reply, in a line of the log each, and whether it came true. */
export interface Told {
  readonly lines: readonly string[];
  readonly done: boolean;
}

/** `method`: with the lines of 5.0's block-ip, which say by what an address was blocked. */
export function tell(
  reply: Reply,
  { verb, method, key = '' }: { verb: 'add' | 'delete'; method: boolean; key?: string | undefined },
): Told {
  if (!reply.ok) return refused(reply, verb);
  const lines: string[] = [];
  if (method) {
    const { driver } = reply;
    const did = verb === 'add' ? 'blocked' : 'unblocked';
    lines.push(
      `[INFO] Method=${driver} Action=start Details=Attempting method: ${driver} (lock=no)`,
      `[INFO] Method=${driver} Action=success Details=IP ${key} successfully ${did}`,
    );
  }
  const trouble = reply.trouble === undefined ? '' : `: ${reply.trouble}`;
  if (reply.nextTry !== undefined) {
    lines.push(oneLine(`Not done yet${trouble}; it is tried again at ${reply.nextTry}`));
  } else if (trouble !== '') lines.push(oneLine(`Done, but${trouble}`));
  return { lines, done: true };
}

/** To take these back is no failure: nothing stands, nor could it. */
const nothingStands = ['not-held', 'not-revertible', 'address-invalid', 'target-invalid'];

function refused({ code, message }: Failure, verb: 'add' | 'delete'): Told {
  return verb === 'delete' && nothingStands.includes(code)
    ? { lines: [], done: true }
    : { lines: [...inactiveLines(message), oneLine(message)], done: false };
}

/** A line of the log: parts of it can be text of strangers. */
function oneLine(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\u2028\u2029]+/gu, ' ').slice(0, 2_048);
}
