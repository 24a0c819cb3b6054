/**
 * What tells that effects may have gone or come while the agent runs, as data; agent/system/watch/ listens
 * to it. The machine is compared with the journal at once when it happens.
 */
export type Watch =
  | DbusWatch
  | NftablesWatch
  | RoutesWatch
  | FilesWatch
  | XtablesWatch
  | IpsetWatch;

/** A D-Bus service: when it ends or begins, and when it emits one of these signals. */
export interface DbusWatch {
  readonly kind: 'dbus';
  readonly service: string;
  readonly signals: readonly {
    readonly path: string;
    readonly interface: string;
    readonly member: string;
  }[];
}

/** What others change in a table of nftables; with `set`, only what takes away of that set. */
export interface NftablesWatch {
  readonly kind: 'nftables';
  readonly family: 'ip' | 'ip6' | 'inet' | 'arp' | 'bridge' | 'netdev';
  readonly table: string;
  readonly set?: string;
}

/** What others do to routes of Linux that carry a protocol number, or put in their place. */
export interface RoutesWatch {
  readonly kind: 'routes';
  readonly protocol: number;
}

/** What others do to files, and to what is in folders; they need not be there yet. */
export interface FilesWatch {
  readonly kind: 'files';
  readonly paths: readonly string[];
}

/**
 * A table of the legacy iptables. The kernel tells nobody of changes to it; its size is looked at a few
 * times a second, which misses what leaves it as it was.
 */
export interface XtablesWatch {
  readonly kind: 'xtables';
  readonly table: string;
}

/**
 * How much is in sets of ipset. The kernel tells nobody of changes to them; they are counted a few times
 * a second, and there must not be less than the journal has.
 */
export interface IpsetWatch {
  readonly kind: 'ipset';
  readonly sets: readonly string[];
}

/** Something that happened, by whoever is not us. */
export interface WatchEvent {
  /** `gone`: what holds the effects has ended, and the effects with it; nothing can be done until it is back. */
  readonly kind: 'changed' | 'gone';
  /** In words that fit a log line. */
  readonly what: string;
  /** There are so many now; no cause for a look as long as that is enough for what is held. */
  readonly stand?: number;
}
