/** Who is logged on to Windows, by numbers: quser and query print it in the language of the machine. */
import { hostname } from 'node:os';
import { foldCase } from '../../../platform/windows/names.ts';
import { withFfi } from '../ffi.ts';
import { library, memory, once, readWide, room } from './native.ts';

/** WTS_CURRENT_SERVER_HANDLE. */
const here = 0n;
/** Of WTS_INFO_CLASS. */
const info = { user: 5, domain: 7 } as const;
/** WTS_SESSION_INFOW: its number, the name of its station, its state. */
const entryBytes = 24;

const calls = once(() =>
  withFfi(
    (ffi) =>
      ffi.dlopen(library('wtsapi32.dll'), {
        WTSEnumerateSessionsW: {
          arguments: ['pointer', 'uint32', 'uint32', 'buffer', 'buffer'],
          return: 'int32',
        },
        WTSQuerySessionInformationW: {
          arguments: ['pointer', 'uint32', 'int32', 'buffer', 'buffer'],
          return: 'int32',
        },
        WTSLogoffSession: { arguments: ['pointer', 'uint32', 'int32'], return: 'int32' },
        WTSFreeMemory: { arguments: ['pointer'], return: 'void' },
      }).functions,
  ),
);

/** The numbers of the sessions, disconnected ones too, that a local account is logged on with. */
export function sessionsOf(account: string): number[] {
  return listSessions().filter((session) => {
    const domain = foldCase(ask(session, info.domain));
    return (
      foldCase(ask(session, info.user)) === foldCase(account) && domain === foldCase(machineName())
    );
  });
}

/** Has a session end; it goes on ending for a while. */
export function logOff(session: number): void {
  calls().WTSLogoffSession(here, session, 0);
}

/** What stands before the names of local accounts: at most 15 letters of the machine's name. */
function machineName(): string {
  return process.env['COMPUTERNAME'] ?? hostname().slice(0, 15);
}

function listSessions(): number[] {
  const [into, count] = [room(), room(4)];
  if (calls().WTSEnumerateSessionsW(here, 0, 1, into, count) === 0) {
    throw new Error('the sessions cannot be listed (WTSEnumerateSessionsW)');
  }
  const at = into.readBigUInt64LE();
  const { getUint32 } = memory();
  const found = Array.from({ length: count.readUInt32LE() }, (_, index) =>
    getUint32(at, index * entryBytes),
  );
  calls().WTSFreeMemory(at);
  return found;
}

/** Empty where nobody is logged on, or the session has ended. */
function ask(session: number, what: number): string {
  const into = room();
  if (calls().WTSQuerySessionInformationW(here, session, what, into, room(4)) === 0) return '';
  const at = into.readBigUInt64LE();
  const text = readWide(at);
  calls().WTSFreeMemory(at);
  return text;
}
