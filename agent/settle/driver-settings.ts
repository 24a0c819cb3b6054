import { ownTable } from '../../platform/bsd/pf-commands.ts';
import type { Settings } from '../../platform/driver.ts';
import type { Config } from '../config/settings.ts';
import { notificationSettings } from './notifications.ts';

/** What the configuration says of each driver's settings; what it leaves out has its default. */
export function driverSettings(config: Config): Readonly<Record<string, Settings>> {
  const xtables = { variant: config.iptablesVariant };
  const { expire, endSessions, never } = config.disableAccount;
  const disabling = { endSessions, neverDisable: [...new Set(never)].sort().join(' ') };
  return {
    ipset: xtables,
    'nftables-set': config.nftablesSet,
    'ipset-set': config.ipsetSet,
    iptables: xtables,
    firewalld: config.firewalld,
    'hosts-deny': { path: config.hostsDenyFile },
    account: { expire, ...disabling },
    'account-bsd': { expire, ...disabling },
    'account-macos': disabling,
    'account-windows': disabling,
    pf: pfSettings(config.pf),
    ipfw: config.ipfw,
    npf: config.npf,
    'route-null-windows': config.routeNull,
    'block-file': { folder: config.blockFolder },
    'restart-agent': { home: config.managerHome },
    'kill-process': config.killProcess,
    'kill-process-windows': config.killProcess,
    quarantine: config.quarantine,
    'quarantine-windows': config.quarantine,
    ...notificationSettings(config.notifications),
  };
}

/** A table of another name than ours is the administrator's, in the main ruleset or an anchor of his. */
function pfSettings({ anchor, table }: Config['pf']): Settings {
  if (table !== ownTable) return { anchor, table, rules: 'theirs', token: '' };
  return anchor === '' ? {} : { anchor };
}
