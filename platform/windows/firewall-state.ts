/** Whether the Windows firewall enforces rules of this machine: its service, its profiles, its policies. */
import type { Finding } from '../driver.ts';
import type { CommandStep, StepResult } from '../step.ts';
import { saidOf } from './answers.ts';
import { askTree, keyAt, numberIn, type RegistryKey, readTree } from './registry.ts';

/** The firewall's settings and rules, of this machine and of a management service (`Mdm`). */
export const firewallKey =
  'HKLM\\SYSTEM\\CurrentControlSet\\Services\\SharedAccess\\Parameters\\FirewallPolicy';
/** What Group Policy says of it ([MS-GPFAS] 2.2.3); not there where it says nothing. */
const policyKey = 'HKLM\\SOFTWARE\\Policies\\Microsoft\\WindowsFirewall';
const service = 'MpsSvc';

export const askState: readonly CommandStep[] = [
  askTree(firewallKey),
  askTree(policyKey),
  { kind: 'command', tool: 'sc', args: ['query', service] },
];

/** Each network is in one of these. */
const profiles = [
  { name: 'domain', local: 'DomainProfile', policies: ['DomainProfile'] },
  { name: 'private', local: 'StandardProfile', policies: ['PrivateProfile', 'StandardProfile'] },
  { name: 'public', local: 'PublicProfile', policies: ['PublicProfile'] },
] as const;

export type FirewallState =
  | { readonly known: false; readonly why: string }
  | {
      readonly known: true;
      /** All of the firewall's own keys. */
      readonly keys: readonly RegistryKey[];
      /** Why no rule of ours would act in any network, if so. */
      readonly idle: string | undefined;
      /** The networks where none would act, where there are others. */
      readonly partly: string | undefined;
      readonly findings: readonly Finding[];
    };

export function readState(results: readonly StepResult[]): FirewallState {
  const [tree, policy, running] = results;
  const local = readTree(tree, firewallKey);
  if (local.there === 'no') return unknown(`${firewallKey} cannot be read`);
  if (local.there === 'unknown') return unknown(local.why);
  // The keys are listed by their names: the last one says that none is left out.
  if (keyAt(local.keys, firewallKey, 'StandardProfile') === undefined) {
    return unknown(`reg query ${firewallKey}: printed no StandardProfile`);
  }
  const group = readTree(policy, policyKey);
  if (group.there === 'unknown') return unknown(group.why);
  const state = readService(running);
  if ('why' in state) return unknown(state.why);
  const groupKeys = group.there === 'yes' ? group.keys : [];
  const troubles = profiles.map((profile) => ({
    name: profile.name,
    why: troubleOf(profile, local.keys, groupKeys),
  }));
  return { known: true, keys: local.keys, ...judge(state.runs, troubles) };
}

function unknown(why: string): FirewallState {
  return { known: false, why };
}

/**
 * The lines of `sc query` begin with words that are translated and have numbers behind them, in this
 * order: the type, in hexadecimal, and the state (SERVICE_RUNNING is 4).
 */
function readService(result: StepResult | undefined): { runs: boolean } | { why: string } {
  // ERROR_SERVICE_DOES_NOT_EXIST
  if (result?.failure === 'exit' && result.exitCode === 1060) return { runs: false };
  if (result === undefined || result.failure !== undefined) {
    return { why: `sc query ${service}: ${saidOf(result)}` };
  }
  const numbers = result.stdout.split(/\r?\n/).flatMap((line) => {
    const [, number] = /^\s+\S[^:]*:\s+([0-9a-f]+)\s+[A-Z]/.exec(line) ?? [];
    return number ?? [];
  });
  const [, state] = numbers;
  return state === undefined
    ? { why: `sc query ${service}: the answer is not understood` }
    : { runs: state === '4' };
}

type Profile = (typeof profiles)[number];
type Trouble = 'off' | 'local rules do not count';

/** A policy decides before what is set on the machine; what nobody has set is on. */
function troubleOf(
  { local, policies }: Profile,
  keys: readonly RegistryKey[],
  group: readonly RegistryKey[],
): Trouble | undefined {
  const deciding = [
    ...policies.map((name) => keyAt(group, policyKey, name)),
    ...policies.map((name) => keyAt(keys, firewallKey, `Mdm\\${name}`)),
  ];
  const firstOf = (name: string): number | undefined =>
    deciding.map((key) => numberIn(key, name)).find((value) => value !== undefined);
  const own = numberIn(keyAt(keys, firewallKey, local), 'EnableFirewall');
  if ((firstOf('EnableFirewall') ?? own) === 0) return 'off';
  return firstOf('AllowLocalPolicyMerge') === 0 ? 'local rules do not count' : undefined;
}

type Judged = Pick<Extract<FirewallState, { known: true }>, 'idle' | 'partly' | 'findings'>;

function judge(
  runs: boolean,
  troubles: readonly { readonly name: string; readonly why: Trouble | undefined }[],
): Judged {
  if (!runs) {
    return {
      idle: `not enforced: the service of the Windows firewall (${service}) does not run`,
      partly: undefined,
      findings: [stopped],
    };
  }
  const off = troubles.filter(({ why }) => why === 'off').map(({ name }) => name);
  const deaf = troubles
    .filter(({ why }) => why === 'local rules do not count')
    .map(({ name }) => name);
  const all = off.length + deaf.length === troubles.length;
  const said = [
    ...(off.length === 0 ? [] : [`it is off in ${networks(off)}`]),
    ...(deaf.length === 0 ? [] : [`a policy lets no local rules count in ${networks(deaf)}`]),
  ].join(', and ');
  const reason = said === '' ? undefined : `the Windows firewall would do nothing: ${said}`;
  const level = all ? 'problem' : 'warning';
  return {
    idle: all ? `not enforced: ${reason}` : undefined,
    partly: all ? undefined : reason,
    findings: [
      ...(off.length === 0 ? [] : [switchedOff(level, off)]),
      ...(deaf.length === 0 ? [] : [overruled(level, deaf)]),
    ],
  };
}

function networks(names: readonly string[]): string {
  return names.length === profiles.length ? 'all networks' : `${names.join(' and ')} networks`;
}

const stopped: Finding = {
  id: 'windows-firewall-stopped',
  level: 'problem',
  what: `The service of the Windows firewall (${service}) does not run: its rules do nothing.`,
  why: 'Blocks with netsh would do nothing, so ar-exec does not make them.',
  remedy: `sc config ${service} start= auto, and start Windows anew.`,
};

function switchedOff(level: Finding['level'], names: readonly string[]): Finding {
  return {
    id: 'windows-firewall-off',
    level,
    what: `The Windows firewall is off in ${networks(names)}: its rules do nothing there.`,
    why: 'A network is a domain, a private or a public one, and each kind has its own switch.',
    remedy:
      'netsh advfirewall set allprofiles state on. Where a policy has turned it off, only the policy can turn it on.',
  };
}

function overruled(level: Finding['level'], names: readonly string[]): Finding {
  return {
    id: 'windows-firewall-policy',
    level,
    what: `A policy lets no local firewall rules count in ${networks(names)}: those of ar-exec do nothing there.`,
    why: 'Its rules are local ones. The policy has AllowLocalPolicyMerge = 0.',
    remedy:
      'In the policy: Windows Defender Firewall, the profile\'s settings, "Apply local firewall rules": Yes.',
  };
}
