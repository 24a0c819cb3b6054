import type { Finding } from '../../platform/driver.ts';
import { type Distribution, installCommand } from './packages.ts';

/** What `ar-exec doctor` knows of a machine, as `--json` prints it. */
export interface Report {
  /** Nothing is worse than a warning. */
  readonly ok: boolean;
  readonly version: string;
  readonly system: string;
  readonly config: string | null;
  readonly agent: AgentState;
  readonly drivers: readonly DriverState[];
  readonly responses: readonly ResponseState[];
  /** The worst first. */
  readonly findings: readonly Finding[];
}

export interface AgentState {
  readonly runs: boolean;
  /** Absent where no agent answers. */
  readonly healthy?: boolean;
  readonly says: string;
}

export interface DriverState {
  readonly driver: string;
  readonly usable: boolean;
  readonly why: string;
  readonly families: readonly (4 | 6)[];
  /** Tools that it asked for and that are not on this machine. */
  readonly missing: readonly string[];
  /** The command that brings them. */
  readonly install?: string | undefined;
}

/** Which driver a response would use now. */
export interface ResponseState {
  readonly response: string;
  readonly actsOnAddresses: boolean;
  readonly ipv4?: string | undefined;
  readonly ipv6?: string | undefined;
  /** For what acts on something else. */
  readonly driver?: string | undefined;
  /** The configuration names the drivers that it may use. */
  readonly pinned: boolean;
  /** Every driver with its own reason, then what was taken. */
  readonly why: string;
}

const order = ['problem', 'warning', 'note', 'ok'] as const;

/** Says how tools that are missing come to this machine. */
export function withInstall(finding: Finding, distribution: Distribution): Finding {
  const { missing = [], remedy } = finding;
  const install = remedy === undefined ? installCommand(missing, distribution) : undefined;
  return install === undefined ? finding : { ...finding, remedy: install };
}

/** The worst first; what two of them found is told once. */
export function sortFindings(findings: readonly Finding[]): Finding[] {
  const unique = new Map(findings.map((one) => [`${one.id} ${one.what}`, one]));
  return [...unique.values()].sort((a, b) => order.indexOf(a.level) - order.indexOf(b.level));
}
