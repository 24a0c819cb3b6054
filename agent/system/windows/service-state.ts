/** What the service control manager knows of a service, without its tools, whose words are translated. */
import { withFfi } from '../ffi.ts';
import { library, once, wide } from './native.ts';

export interface ServiceReport {
  /** 1 stopped, 2 starting, 3 stopping, 4 running, 5 to 7 about pausing (SERVICE_STATUS). */
  readonly state: number;
  /** 0 while it does not run. */
  readonly pid: number;
  /** 2 with the machine, 3 when asked for, 4 disabled; 0 and 1 are drivers. */
  readonly start: number;
}

export const running = 4;

const connect = 0x01;
const createService = 0x02;
const queryConfig = 0x01;
const queryStatus = 0x04;
/** QUERY_SERVICE_CONFIGW is 8 KiB at most, its texts included. */
const configBytes = 8_192;
const statusBytes = 36;

const calls = once(() =>
  withFfi(
    (ffi) =>
      ffi.dlopen(library('advapi32.dll'), {
        OpenSCManagerW: { arguments: ['pointer', 'pointer', 'uint32'], return: 'pointer' },
        OpenServiceW: { arguments: ['pointer', 'buffer', 'uint32'], return: 'pointer' },
        QueryServiceStatusEx: {
          arguments: ['pointer', 'int32', 'buffer', 'uint32', 'buffer'],
          return: 'int32',
        },
        QueryServiceConfigW: {
          arguments: ['pointer', 'buffer', 'uint32', 'buffer'],
          return: 'int32',
        },
        CloseServiceHandle: { arguments: ['pointer'], return: 'int32' },
      }).functions,
  ),
);

/** Undefined where there is no such service, or it cannot be asked for. */
export function serviceState(name: string): ServiceReport | undefined {
  const functions = calls();
  const manager = functions.OpenSCManagerW(0n, 0n, connect);
  if (manager === 0n) return undefined;
  const service = functions.OpenServiceW(manager, wide(name), queryConfig | queryStatus);
  try {
    if (service === 0n) return undefined;
    const status = Buffer.alloc(statusBytes);
    const config = Buffer.alloc(configBytes);
    const needed = Buffer.alloc(4);
    const known =
      functions.QueryServiceStatusEx(service, 0, status, statusBytes, needed) !== 0 &&
      functions.QueryServiceConfigW(service, config, configBytes, needed) !== 0;
    if (!known) return undefined;
    return {
      state: status.readUInt32LE(4),
      pid: status.readUInt32LE(28),
      start: config.readUInt32LE(4),
    };
  } finally {
    if (service !== 0n) functions.CloseServiceHandle(service);
    functions.CloseServiceHandle(manager);
  }
}

/** Whether this process may make services: an elevated one of an administrator, or SYSTEM. */
export function mayMakeServices(): boolean {
  const { OpenSCManagerW, CloseServiceHandle } = calls();
  const manager = OpenSCManagerW(0n, 0n, createService);
  if (manager === 0n) return false;
  CloseServiceHandle(manager);
  return true;
}
