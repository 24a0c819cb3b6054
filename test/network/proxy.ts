/** A proxy on loopback that opens tunnels (CONNECT), whatever the name, to a port of this machine. */
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';

export interface TunnelProxy {
  readonly port: number;
  readonly asked: readonly { readonly target: string; readonly headers: IncomingHttpHeaders }[];
  open(): number;
  close(): Promise<void>;
}

/** `how` is what it answers: a tunnel to that port, a status, or nothing at all. */
export async function startProxy(
  how: { readonly to: number } | { readonly status: number } | 'nothing',
): Promise<TunnelProxy> {
  const asked: { target: string; headers: IncomingHttpHeaders }[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((_, response) => {
    response.statusCode = 400;
    response.end();
  });
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => {}).on('close', () => sockets.delete(socket));
  });
  server.on('connect', ({ url = '', headers }, socket: Socket) => {
    asked.push({ target: url, headers });
    if (how === 'nothing') {
      socket.resume().on('end', () => socket.end());
      return;
    }
    if ('status' in how) {
      socket.end(`HTTP/1.1 ${how.status} No\r\n\r\n`);
      return;
    }
    const onward = connect(how.to, '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      onward.pipe(socket).pipe(onward);
    });
    onward.on('error', () => socket.destroy());
    socket.on('close', () => onward.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    asked,
    open: () => sockets.size,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
