/** Listens to whatever a driver names, each in its way. */
import type { Watch } from '../../../platform/driver.ts';
import type { Bus } from '../dbus/bus.ts';
import { watchFiles } from './files.ts';
import { watchNftables, watchRoutes } from './kernel-watchers.ts';
import { watchIpset, watchXtables } from './levels.ts';
import { createNetlinkSource } from './netlink.ts';
import { netfilterProtocol, nftablesGroup } from './nftables-message.ts';
import type { OwnWork } from './own-work.ts';
import { routeGroups, routeProtocol } from './route-message.ts';
import type { OnEvent, Watcher } from './watcher.ts';

export type Watching = (watch: Watch, onEvent: OnEvent) => Watcher;

export function createWatching(bus: Bus, own: OwnWork): Watching {
  const netfilter = createNetlinkSource(netfilterProtocol, [nftablesGroup], own);
  const routes = createNetlinkSource(routeProtocol, routeGroups, own);
  return (watch, onEvent) => {
    switch (watch.kind) {
      case 'dbus':
        return {
          // Not all that can be changed in a service is told by signals.
          hasHeardAll: async () => false,
          trouble: () => undefined,
          held: () => {},
          stop: bus.watch(watch, (kind) => {
            const what = kind === 'gone' ? 'has ended' : 'began anew, or was changed';
            onEvent({ kind, what: `${watch.service} on D-Bus ${what}` });
          }),
        };
      case 'nftables':
        return watchNftables(watch, netfilter, onEvent);
      case 'routes':
        return watchRoutes(watch, routes, onEvent);
      case 'files':
        return watchFiles(watch, own, onEvent);
      case 'xtables':
        return watchXtables(watch, own, onEvent);
      case 'ipset':
        return watchIpset(watch, own, onEvent);
    }
  };
}
