/** Entries of Windows' event log (Event Viewer: Windows Logs, Application). */
import { withFfi } from '../ffi.ts';
import { allocatePage } from './memory.ts';
import { library, once, wide } from './native.ts';

export type EventType = 'error' | 'warning' | 'information';

/** Never waits, never throws: what cannot be told there is in the log file. */
export type WriteEvent = (type: EventType, id: number, text: string) => void;

const types = { error: 1, warning: 2, information: 4 } as const;
/** A page holds an entry, with its end and with where it is. */
const longestText = 1_900;
const textAt = 16;

const calls = once(() =>
  withFfi(
    (ffi) =>
      ffi.dlopen(library('advapi32.dll'), {
        RegisterEventSourceW: { arguments: ['pointer', 'buffer'], return: 'pointer' },
        ReportEventW: {
          arguments: [
            'pointer',
            'uint16',
            'uint16',
            'uint32',
            'pointer',
            'uint16',
            'uint32',
            'pointer',
            'pointer',
          ],
          return: 'int32',
        },
      }).functions,
  ),
);

/** `source` is known to Event Viewer by what `ar-exec service install` puts into the registry. */
export function openEventLog(source: string): WriteEvent {
  const handle = calls().RegisterEventSourceW(0n, wide(source));
  if (handle === 0n) return () => {};
  const { address, bytes } = allocatePage();
  bytes.writeBigUInt64LE(address + BigInt(textAt));
  return (type, id, text) => {
    bytes.write(`${text.slice(0, longestText)}\0`, textAt, 'utf16le');
    calls().ReportEventW(handle, types[type], 0, id, 0n, 1, 0, address, 0n);
  };
}
