/** Default gateways of Windows, from its table of routes: what `route print` says of it is localised. */
import type { StepResult } from '../../../platform/step.ts';
import { withFfi } from '../ffi.ts';
import { library, memory, NativeFailure, once, room } from './native.ts';

const calls = once(() =>
  withFfi(
    (ffi) =>
      ffi.dlopen(library('iphlpapi.dll'), {
        GetIpForwardTable2: { arguments: ['int32', 'buffer'], return: 'uint32' },
        FreeMibTable: { arguments: ['pointer'], return: 'void' },
      }).functions,
  ),
);

/** AF_UNSPEC: of both families. */
const both = 0;
const family = { v4: 2, v6: 23 } as const;
/** MIB_IPFORWARD_TABLE2 and its rows, MIB_IPFORWARD_ROW2 (netioapi.h). */
const table = { rows: 8 } as const;
const row = { bytes: 104, destination: 12, length: 40, hop: 44 } as const;

export async function readWindowsGateways(): Promise<StepResult> {
  return { exitCode: 0, stdout: JSON.stringify(gatewaysNow()), stderr: '' };
}

function gatewaysNow(): readonly string[] {
  const { GetIpForwardTable2, FreeMibTable } = calls();
  const found = room();
  const failure = GetIpForwardTable2(both, found);
  if (failure !== 0) throw new NativeFailure('GetIpForwardTable2', failure);
  const at = found.readBigUInt64LE();
  try {
    const count = memory().getUint32(at, 0);
    const bytes = room(table.rows + count * row.bytes);
    for (let index = 0; index < bytes.length; index += 1)
      bytes[index] = memory().getUint8(at, index);
    return readGateways(bytes);
  } finally {
    FreeMibTable(at);
  }
}

/** The next hops of routes to everywhere; a route without one leads to an interface. */
export function readGateways(bytes: Buffer): readonly string[] {
  const count = bytes.readUInt32LE(0);
  const rows = Array.from({ length: count }, (_, index) => {
    const start = table.rows + index * row.bytes;
    return bytes.subarray(start, start + row.bytes);
  });
  return rows.flatMap((one) => {
    if (one[row.length] !== 0) return [];
    const hop = addressIn(one.subarray(row.hop));
    return hop === undefined || /^(0\.0\.0\.0|(0+:)+0+)$/.test(hop) ? [] : [hop];
  });
}

/** A SOCKADDR_INET: the family, the port; then of IPv6 a number before the address. */
function addressIn(bytes: Buffer): string | undefined {
  const kind = bytes.readUInt16LE(0);
  if (kind === family.v4) return bytes.subarray(4, 8).join('.');
  if (kind !== family.v6) return undefined;
  return bytes.subarray(8, 24).toString('hex').match(/..../g)?.join(':');
}
