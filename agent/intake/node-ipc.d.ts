/** node-ipc 14 ships no types; these are the parts that are used here, as its source has them. */
declare module 'node-ipc' {
  import type { Server as NetServer, Socket } from 'node:net';

  export interface Frame {
    readonly type: string;
    readonly data: unknown;
  }

  /** A framing of one's own: `read` gets what its last call returned, and calls `receive` per frame. */
  export interface FrameParser {
    readonly raw: false;
    readonly encoding: 'utf8';
    encode(type: string, data: unknown): string;
    read(remainder: unknown, chunk: string, receive: (frame: Frame) => void): unknown;
  }

  export interface Config {
    silent: boolean;
    parser: FrameParser;
    maxConnections: number;
    unlink: boolean;
    stopRetrying: boolean;
    maxRetries: number;
    secureSocketRoot: boolean;
  }

  interface Emitter {
    // biome-ignore lint/suspicious/noExplicitAny: the event decides what its listener gets
    on(type: string, listener: (...args: any[]) => void): this;
  }

  export interface Server extends Emitter {
    readonly server: NetServer;
    start(): void;
    stop(): void;
    write(socket: Socket, message: string): boolean;
  }

  export interface Client extends Emitter {
    emit(type: string, data: unknown): void;
  }

  export class IPCModule {
    config: Config;
    readonly server: Server;
    readonly of: Readonly<Record<string, Client | undefined>>;
    serve(path: string, onStart: () => void): void;
    connectTo(id: string, path: string, onPrepared: () => void): void;
    disconnect(id: string): void;
  }
}
