/** What is asked of firewalld over D-Bus (firewalld.dbus(5)), and how its answers are understood. */
import type { DbusCall, DbusStep, StepResult } from '../step.ts';

export const service = 'org.fedoraproject.FirewallD1';
export const objectPath = '/org/fedoraproject/FirewallD1';

/** A batch takes firewalld a few milliseconds for each call; it must not be given up half-way. */
const deadlineMs = 20_000;
const deadlineOfCallMs = 100;

type Place = '' | 'zone' | 'ipset';
type Options = Pick<DbusStep, 'alreadySo' | 'first'>;

/** Calls of the main interface, or of the one for zones or for ipsets. */
export function ask(place: Place, calls: readonly DbusCall[], options: Options = {}): DbusStep {
  return {
    kind: 'dbus',
    destination: service,
    path: objectPath,
    interface: place === '' ? service : `${service}.${place}`,
    calls,
    ...options,
    deadlineMs: deadlineMs + calls.length * deadlineOfCallMs,
  };
}

export function call(member: string, ...args: readonly string[]): DbusCall {
  return { member, signature: 's'.repeat(args.length), args };
}

/** Properties of the service itself. */
export function askProperties(names: readonly string[]): DbusStep {
  return {
    ...ask(
      '',
      names.map((name) => call('Get', service, name)),
    ),
    interface: 'org.freedesktop.DBus.Properties',
  };
}

/** Which of nftables and iptables firewalld uses. */
export const askBackend: DbusStep = {
  ...askProperties([]),
  path: `${objectPath}/config`,
  calls: [call('Get', `${service}.config`, 'FirewallBackend')],
};

/** What each call of a step returned; undefined when that is not known. */
export function answersOf(
  result: StepResult | undefined,
): readonly (readonly unknown[])[] | undefined {
  if (result === undefined || result.failure !== undefined) return undefined;
  try {
    const parsed: unknown = JSON.parse(result.stdout);
    return isListOf(parsed, Array.isArray) ? (parsed as unknown[][]) : undefined;
  } catch {
    return undefined;
  }
}

/** The one value that the one call of a step returned. */
export function answerOf(result: StepResult | undefined): unknown {
  return answersOf(result)?.[0]?.[0];
}

export function isTexts(value: unknown): value is readonly string[] {
  return isListOf(value, (one) => typeof one === 'string');
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Why a step came to nothing, in words for a log line. */
export function whyNot(result: StepResult | undefined): string {
  if (result?.failure === 'missing') return `firewalld does not run (${result.stderr})`;
  return `firewalld: ${result?.stderr.trim() || result?.failure || 'an answer that makes no sense'}`;
}

function isListOf(value: unknown, fits: (one: unknown) => boolean): boolean {
  return Array.isArray(value) && value.every(fits);
}
