import type { Settings, Usability } from '../driver.ts';
import type { Step, StepResult } from '../step.ts';
import {
  answerOf,
  answersOf,
  ask,
  askProperties,
  call,
  isRecord,
  isTexts,
  whyNot,
} from './firewalld-calls.ts';

/** An agent that starts does not wait longer for a firewalld that hangs. */
const deadlineMs = 10_000;

export function probeSteps({ zone = '', ipset4 = '', ipset6 = '' }: Settings): Step[] {
  const steps = [
    askProperties(['version', 'state', 'IPv4', 'IPv6']),
    // The second does nothing but say whether this account may change anything.
    ask('', [call('getDefaultZone'), call('authorizeAll')]),
    ask('zone', [call('getActiveZones')]),
    ask('zone', [call('getZoneSettings2', zone)]),
    ask('ipset', [call('getIPSetSettings', ipset4)]),
    ask('ipset', [call('getIPSetSettings', ipset6)]),
  ];
  return steps.map((step) => ({ ...step, deadlineMs }));
}

/** Settles in which way effects are made here. */
export function readProbe(settings: Settings, results: readonly StepResult[]): Usability {
  const [properties, general, active, zoneSettings, set4, set6] = results;
  const unusable = (why: string): Usability => ({ usable: false, why, families: [] });
  const known = answersOf(properties)?.map(([value]) => value);
  if (known === undefined) return unusable(whyNot(properties));
  const [version, state, has4, has6] = known;
  if (state !== 'RUNNING') return unusable(`firewalld is in the state ${state}`);
  const defaultZone = answerOf(general);
  if (typeof defaultZone !== 'string') return unusable(whyNot(general));
  const families = [...(has4 === true ? [4 as const] : []), ...(has6 === true ? [6 as const] : [])];
  if (families.length === 0) return unusable('firewalld acts on neither IPv4 nor IPv6');
  const name = `firewalld ${version}`;
  const usable = (why: string, settled: Settings): Usability => ({
    usable: true,
    why: `${name}, ${why}`,
    families,
    settled,
  });

  const { zone = '', ipset4 = '', ipset6 = '', priority = '' } = settings;
  const sources = sourcesOfDropping(answerOf(zoneSettings));
  if (sources !== undefined) {
    const fits = (set: string, family: 4 | 6, answer: StepResult | undefined): string =>
      sources.includes(`ipset:${set}`) && isFit(answerOf(answer), family) ? set : '';
    const [four, six] = [fits(ipset4, 4, set4), fits(ipset6, 6, set6)];
    const sets = [four, six].filter(Boolean).join(' and ');
    return usable(`zone ${zone}${sets === '' ? '' : ` with ${sets}`}`, {
      mode: 'zone',
      zone,
      ipset4: four,
      ipset6: six,
    });
  }
  const others = answerOf(active);
  if (!isRecord(others)) return unusable(whyNot(active));
  const zones = [...new Set([defaultZone, ...Object.keys(others)])].sort().join(' ');
  return usable(`rich rules in ${zones}`, { mode: 'rules', zones, priority });
}

/** The sources of a zone that lets nothing in; undefined for any other, or none. */
export function sourcesOfDropping(zone: unknown): readonly string[] | undefined {
  if (!isRecord(zone)) return undefined;
  const { target, sources = [] } = zone;
  const drops = target === 'DROP' || target === '%%REJECT%%' || target === 'REJECT';
  return drops && isTexts(sources) ? sources : undefined;
}

/** Single addresses of that family go into it, and it shows them: one with timeouts does not. */
function isFit(set: unknown, family: 4 | 6): boolean {
  if (!Array.isArray(set)) return false;
  const [, , , type, options] = set as unknown[];
  if (type !== 'hash:ip' && type !== 'hash:net') return false;
  if (!isRecord(options)) return false;
  const { family: kind = 'inet', timeout = '0' } = options;
  return kind === (family === 6 ? 'inet6' : 'inet') && timeout === '0';
}
