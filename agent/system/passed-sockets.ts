/** Sockets that a service manager has opened for us: sd_listen_fds(3). */

export interface PassedSocket {
  readonly descriptor: number;
  /** As the unit has it (`FileDescriptorName=`); empty where nothing is said. */
  readonly name: string;
}

/** Standard input, output and error come before them. */
const first = 3;
const atMost = 64;

/** What `environment` says was passed to the process `pid`. */
export function passedSockets(
  environment: Readonly<Record<string, string | undefined>>,
  pid: number,
): PassedSocket[] {
  // A process of ours that started us may have been meant, and have it closed long since.
  if (environment['LISTEN_PID'] !== String(pid)) return [];
  const count = Number(environment['LISTEN_FDS']);
  if (!Number.isInteger(count) || count < 1 || count > atMost) return [];
  const names = (environment['LISTEN_FDNAMES'] ?? '').split(':');
  return Array.from({ length: count }, (_, index) => ({
    descriptor: first + index,
    name: names[index] ?? '',
  }));
}
