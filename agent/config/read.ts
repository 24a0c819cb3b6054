import type { System } from '../../platform/system.ts';
import type { AddressTarget } from '../../platform/target.ts';
import { currentSystem, pathSettings } from './default-paths.ts';
import { type ManagerPart, readManagerPart } from './manager-part.ts';
import { type FromManagers, mergeParts } from './merge.ts';
import { neverEnded, quarantineRoots } from './path-defaults.ts';
import { describePlace, type Remark, remarkAt } from './place.ts';
import type { Known } from './section-values.ts';
import { readSections, type Sections, sectionsIn } from './sections.ts';
import { type Config, settings } from './settings.ts';
import { readXml } from './xml.ts';

/** What ar-exec's own file says, before the manager's file is looked at. */
export interface OwnFile extends ManagerFile {
  /** All that the manager's file has no part in. */
  readonly settings: Omit<Config, keyof FromManagers>;
  readonly neverBlock: readonly AddressTarget[];
  readonly remarks: readonly Remark[];
  readonly known: Known;
}

/** A file's name and what its manager's part says. */
export interface ManagerFile {
  readonly file: string;
  readonly part: ManagerPart;
}

/** Reads the text of a configuration file. Warnings name their place and are in its order. */
export function readConfig(text: string, file: string, known: Known, system?: System): Read {
  return putTogether(readOwnFile(text, file, known, system));
}

interface Read {
  readonly config: Config;
  readonly warnings: readonly string[];
}

/** Reads the manager's part of a text; an `<ar-exec>` section in it does not count. */
export function readManagerFile(text: string, file: string): ManagerFile {
  const document = readXml(text, file);
  const part = readManagerPart(document);
  const stray = sectionsIn(document).map((section) =>
    remarkAt(section, "<ar-exec> counts in ar-exec's own file only: it is not taken"),
  );
  return { file, part: { ...part, remarks: [...part.remarks, ...stray] } };
}

/** The configuration that follows from ar-exec's own file and the manager's, where there is one. */
export function putTogether(own: OwnFile, managers?: ManagerFile): Read {
  const { fromManagers, ownRemarks, managerRemarks } = mergeParts(own, managers);
  const neverBlock = withoutRepeats([...own.neverBlock, ...fromManagers.neverBlock]);
  return {
    config: { ...own.settings, ...fromManagers, neverBlock },
    warnings: [
      ...describe(own.file, [...own.remarks, ...own.part.remarks, ...ownRemarks]),
      ...(managers === undefined
        ? []
        : describe(managers.file, [...managers.part.remarks, ...managerRemarks])),
    ],
  };
}

function describe(file: string, remarks: readonly Remark[]): string[] {
  return remarks
    .toSorted((a, b) => a.line - b.line || a.column - b.column)
    .map((remark) => describePlace(file, remark, remark.message));
}

/** `system`: whose default paths count; this machine's own if absent. Throws `config-invalid`. */
export function readOwnFile(
  text: string,
  file: string,
  known: Known,
  system: System = currentSystem(),
): OwnFile {
  const document = readXml(text, file);
  const part = readManagerPart(document);
  const ours = readSections(document, {
    file,
    known,
    system,
    single: Object.values(settings),
  });
  const { neverBlock, remarks } = ours;
  return { file, part, settings: readSettings(ours, system), neverBlock, remarks, known };
}

function readSettings(ours: Sections, system: System): OwnFile['settings'] {
  const { value, valueOr } = ours;
  const here = pathSettings(system);
  return {
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
    dbusSocket: value(settings.dbusSocket) ?? here.dbusSocket,
    hostsDenyFile: value(settings.hostsDenyFile) ?? here.hostsDenyFile,
    blockFolder: value(settings.blockFolder) ?? here.blockFolder,
    managerHome: value(settings.managerHome) ?? here.managerHome,
    managerQueue: valueOr(settings.managerQueue),
    managerConfig: value(settings.managerConfig),
    nftablesSet: {
      ipv4: valueOr(settings.nftablesSetIpv4),
      ipv6: valueOr(settings.nftablesSetIpv6),
    },
    ipsetSet: { ipv4: valueOr(settings.ipsetSetIpv4), ipv6: valueOr(settings.ipsetSetIpv6) },
    pf: { anchor: valueOr(settings.pfAnchor), table: valueOr(settings.pfTable) },
    ipfw: { table: valueOr(settings.ipfwTable), rule: String(valueOr(settings.ipfwRule)) },
    routeNull: { store: valueOr(settings.routeNullStore) },
    npf: { table: valueOr(settings.npfTable) },
    killProcess: {
      grace: String(valueOr(settings.killGrace)),
      family: valueOr(settings.killFamily),
      clockSkew: String(valueOr(settings.killClockSkew)),
      never: value(settings.killNever) ?? neverEnded(system).join('\n'),
    },
    quarantine: {
      folder: value(settings.quarantineFolder) ?? here.quarantineFolder,
      roots: value(settings.quarantineRoots) ?? quarantineRoots(system).join('\n'),
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
    toolTimeLimitSeconds: valueOr(settings.toolTimeLimit),
    establishedConnections: valueOr(settings.establishedConnections),
    onStop: valueOr(settings.onStop),
    socketGroup: valueOr(settings.socketGroup),
    limits: {
      connections: valueOr(settings.connections),
      messageBytes: valueOr(settings.messageBytes),
      pendingRequests: valueOr(settings.pendingRequests),
      activeActions: valueOr(settings.activeActions),
      scriptsAtOnce: valueOr(settings.scriptsAtOnce),
      requestsPerSecond: valueOr(settings.requestsPerSecond),
    },
    breaker: {
      perMinute: valueOr(settings.breakerPerMinute),
      held: valueOr(settings.breakerHeld),
      calmSeconds: valueOr(settings.breakerCalm),
    },
    history: {
      keepDays: valueOr(settings.keepDays),
      keepEntries: valueOr(settings.keepEntries),
    },
    reconcileEverySeconds: valueOr(settings.reconcileEvery),
    logLevel: valueOr(settings.logLevel),
    logFile: value(settings.logFile),
    activeResponsesLog: value(settings.activeResponsesLog),
    resultsLog: value(settings.resultsLog),
  };
}

function withoutRepeats(targets: readonly AddressTarget[]): AddressTarget[] {
  return [...new Map(targets.map((target) => [target.text, target])).values()];
}
