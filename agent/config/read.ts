import type { AddressTarget } from '../../platform/target.ts';
import { readManagerPart } from './manager-part.ts';
import { describePlace } from './place.ts';
import type { Known } from './section-values.ts';
import { readSections } from './sections.ts';
import { type Config, settings } from './settings.ts';
import { readXml } from './xml.ts';

/** Reads the text of a configuration file. Warnings name their place and are in its order. */
export function readConfig(
  text: string,
  file: string,
  known: Known,
): { config: Config; warnings: readonly string[] } {
  const document = readXml(text, file);
  const manager = readManagerPart(document);
  const ours = readSections(document, { file, known, single: Object.values(settings) });
  const { value, valueOr } = ours;

  const config: Config = {
    neverBlock: withoutRepeats([...ours.neverBlock, ...manager.neverBlock]),
    managers: manager.managers,
    commands: [],
    activeResponses: [],
    activeResponseDisabled: false,
    repeatedOffenderSeconds: [],
    repeatedOffendersForgetSeconds: valueOr(settings.repeatedOffendersForget),
    agentId: value(settings.agentId),
    agentName: value(settings.agentName),
    agentRole: valueOr(settings.agentRole),
    alertsFile: value(settings.alertsFile),
    widestPrefixIpv4: valueOr(settings.widestPrefixIpv4),
    widestPrefixIpv6: valueOr(settings.widestPrefixIpv6),
    drivers: ours.drivers,
    iptablesVariant: valueOr(settings.iptablesVariant),
    firewalld: {
      zone: valueOr(settings.firewalldZone),
      ipset4: valueOr(settings.firewalldIpset4),
      ipset6: valueOr(settings.firewalldIpset6),
    },
    dbusSocket: valueOr(settings.dbusSocket),
    hostsDenyFile: valueOr(settings.hostsDenyFile),
    blockFolder: valueOr(settings.blockFolder),
    managerHome: valueOr(settings.managerHome),
    managerConfig: value(settings.managerConfig),
    nftablesSet: {
      ipv4: valueOr(settings.nftablesSetIpv4),
      ipv6: valueOr(settings.nftablesSetIpv6),
    },
    ipsetSet: { ipv4: valueOr(settings.ipsetSetIpv4), ipv6: valueOr(settings.ipsetSetIpv6) },
    killProcess: {
      grace: String(valueOr(settings.killGrace)),
      family: valueOr(settings.killFamily),
      clockSkew: String(valueOr(settings.killClockSkew)),
      never: valueOr(settings.killNever),
    },
    quarantine: {
      folder: valueOr(settings.quarantineFolder),
      roots: valueOr(settings.quarantineRoots),
      never: valueOr(settings.quarantineNever),
    },
    disableAccount: {
      expire: valueOr(settings.disableExpire),
      endSessions: valueOr(settings.disableEndSessions),
      never: ours.neverDisable,
    },
    scripts: ours.scripts,
    notifications: ours.notifications,
    scriptsFolder: value(settings.scriptsFolder),
    scriptTimeLimitSeconds: valueOr(settings.scriptTimeLimit),
    establishedConnections: valueOr(settings.establishedConnections),
    onStop: valueOr(settings.onStop),
    socketGroup: valueOr(settings.socketGroup),
    limits: {
      connections: valueOr(settings.connections),
      messageBytes: valueOr(settings.messageBytes),
      pendingRequests: valueOr(settings.pendingRequests),
      activeActions: valueOr(settings.activeActions),
      scriptsAtOnce: valueOr(settings.scriptsAtOnce),
    },
    history: {
      keepDays: valueOr(settings.keepDays),
      keepEntries: valueOr(settings.keepEntries),
    },
    reconcileEverySeconds: valueOr(settings.reconcileEvery),
    logLevel: valueOr(settings.logLevel),
    logFile: value(settings.logFile),
    activeResponsesLog: value(settings.activeResponsesLog),
  };

  const remarks = [...manager.remarks, ...ours.remarks].sort(
    (a, b) => a.line - b.line || a.column - b.column,
  );
  return { config, warnings: remarks.map((remark) => describePlace(file, remark, remark.message)) };
}

function withoutRepeats(targets: readonly AddressTarget[]): AddressTarget[] {
  return [...new Map(targets.map((target) => [target.text, target])).values()];
}
