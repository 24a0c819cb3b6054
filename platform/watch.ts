/**
 * Something to listen to while the agent runs: when it happens, effects may have gone or come, and the
 * machine is compared with the journal at once. A D-Bus service: when it ends or begins, and when it
 * emits one of these signals.
 */
export interface Watch {
  readonly kind: 'dbus';
  readonly service: string;
  readonly signals: readonly {
    readonly path: string;
    readonly interface: string;
    readonly member: string;
  }[];
}

/** `gone`: what holds the effects has ended, and the effects with it; nothing can be done until it is back. */
export type WatchEvent = 'changed' | 'gone';
