import { connect, createServer, type Server } from 'node:net';
import type { AddressTarget } from '../../platform/target.ts';

/** On the loopback device an answer takes well under a millisecond; what is dropped is never answered. */
const patienceMs = 250;
const loopback = { 4: '127.0.0.1', 6: '::1' } as const;

/**
 * Listens on the loopback addresses, and makes a function that opens a connection from another address
 * of this machine to them; it resolves with whether that came about.
 */
export async function openTalk(): Promise<{
  talk(from: AddressTarget): Promise<boolean>;
  close(): void;
}> {
  const servers = { 4: await listen(loopback[4]), 6: await listen(loopback[6]) };
  return {
    talk: ({ family, address }) => {
      const at = servers[family]?.address();
      if (at === null || at === undefined || typeof at === 'string') return Promise.resolve(false);
      return opens({ host: loopback[family], port: at.port, localAddress: address });
    },
    close: () => {
      servers[4]?.close();
      servers[6]?.close();
    },
  };
}

/** Undefined where a family is switched off. */
function listen(host: string): Promise<Server | undefined> {
  return new Promise((resolve) => {
    const server = createServer((socket) => socket.destroy());
    server.once('error', () => resolve(undefined));
    server.listen(0, host, () => resolve(server));
  });
}

function opens(where: { host: string; port: number; localAddress: string }): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(where);
    const end = (opened: boolean): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(opened);
    };
    const timer = setTimeout(end, patienceMs, false);
    socket.once('connect', () => end(true));
    socket.once('error', () => end(false));
  });
}
