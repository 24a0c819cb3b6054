/** Who listens to the kernel's own messages: nftables and routes. */
import type { NftablesWatch, RoutesWatch } from '../../../platform/driver.ts';
import type { NetlinkListener, NetlinkSource } from './netlink.ts';
import type { NetlinkMessage } from './netlink-message.ts';
import { concerns, describeChange, programOf, readChange } from './nftables-message.ts';
import { readRouteChange } from './route-message.ts';
import type { OnEvent, Watcher } from './watcher.ts';

export function watchNftables(
  watch: NftablesWatch,
  source: NetlinkSource,
  onEvent: OnEvent,
): Watcher {
  /** What happened is told first, and then by which program. */
  let told: { what: string; process: number } | undefined;
  const tell = (program?: string): void => {
    if (told === undefined) return;
    const by = program === undefined ? '' : ` by ${program} (process ${told.process})`;
    onEvent({ kind: 'changed', what: `nftables ${told.what}${by}` });
    told = undefined;
  };
  return listenTo(source, onEvent, (messages, process) => {
    for (const message of messages) {
      const change = readChange(message);
      if (change !== undefined && concerns(watch, change)) {
        if (told === undefined) setImmediate(tell);
        told ??= { what: describeChange(change, watch), process };
      }
      const program = told === undefined ? undefined : programOf(message);
      if (program !== undefined) tell(program);
    }
  });
}

export function watchRoutes(
  { protocol }: RoutesWatch,
  source: NetlinkSource,
  onEvent: OnEvent,
): Watcher {
  return listenTo(source, onEvent, (messages, process) => {
    for (const message of messages) {
      const what = readRouteChange(message, protocol);
      if (what !== undefined) onEvent({ kind: 'changed', what: `${what} by process ${process}` });
    }
  });
}

function listenTo(
  source: NetlinkSource,
  onEvent: OnEvent,
  onMessages: (messages: readonly NetlinkMessage[], process: number) => void,
): Watcher {
  const listener: NetlinkListener = {
    onMessages,
    onLost: () => onEvent({ kind: 'changed', what: 'more happened than the kernel could tell' }),
  };
  let trouble: string | undefined;
  let stop: () => void = () => {};
  try {
    stop = source.listen(listener);
  } catch (error) {
    trouble = error instanceof Error ? error.message : String(error);
  }
  return {
    hasHeardAll: async () => {
      source.look();
      return trouble === undefined;
    },
    trouble: () => trouble,
    held: () => {},
    stop,
  };
}
