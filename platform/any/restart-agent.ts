/**
 * Restarts the manager's agent (or the manager): Wazuh's or OSSEC's, by systemd where that has a unit
 * for it, else by its own control script.
 *
 * Upstream's restart.sh stops first; with a configuration that does not load the agent is then gone,
 * and nobody can reach it any more. So its own programs look at the configuration first (`-t`, as the
 * control script does), and what runs is left running when one of them does not like it.
 */
import type { Judgement, OneShot, OneShotKind, Settings, Usability } from '../driver.ts';
import type { CommandStep, Step, StepResult } from '../step.ts';
import { everyUnix } from '../system.ts';

const defaultHome = '/var/ossec';
/**
 * In order of preference: Wazuh's, then what OSSEC's packages and its sources bring (its targets
 * restart their services, which are `PartOf` them).
 */
const units = [
  'wazuh-agent.service',
  'wazuh-manager.service',
  'ossec-hids.service',
  'ossec.service',
  'ossec-agent.target',
  'ossec-server.target',
] as const;
const controls = ['wazuh-control', 'ossec-control'] as const;
/** Of an agent, then of a manager; those that are not there are left out. */
const checkers = ['agentd', 'execd', 'logcollector', 'syscheckd', 'modulesd', 'analysisd'] as const;

/** A control script waits up to 10 s for its lock, and up to 60 s for each daemon to end. */
const restartMs = 150_000;
const checkMs = 30_000;
/** A storm of alerts must not keep the agent restarting: what comes sooner is done at the end, once. */
const everyMs = 60_000;

export const restartAgent: OneShotKind = {
  name: 'restart-agent',
  defaults: { home: defaultHome },
  about: {
    add: "restarts the manager's agent, if its configuration loads",
    systems: everyUnix,
    options: ['manager_home'],
  },
  make: (settings: Settings): OneShot => {
    const home = settings['home'] ?? defaultHome;
    const names = [...controls, ...['wazuh', 'ossec'].flatMap(programsOf)];
    return {
      name: 'restart-agent',
      settings,
      traits: { tries: 3, repeatable: true, atOnce: 1, everyMs },
      probe: {
        steps: [
          {
            kind: 'command',
            tool: 'systemctl',
            args: ['show', '--property=Id,LoadState', ...units],
          },
          ...names.map(
            (name) => ({ kind: 'check-executable', path: `${home}/bin/${name}` }) as const,
          ),
        ],
        read: ([shown, ...checked]) => {
          const trusted = names.filter((_, index) => checked[index]?.failure === undefined);
          const wrong = checked.find(({ failure }) => failure === 'io')?.stderr;
          const systemd = shown !== undefined && shown.failure === undefined && shown.stdout !== '';
          return settle({ home, systemd, unit: loadedUnit(shown), trusted, wrong });
        },
      },
      perform: () => ({
        steps: stepsOf(home, settings),
        read: (results) => judge(settings, results),
      }),
    };
  },
};

function programsOf(family: string): string[] {
  return checkers.map((name) => `${family}-${name}`);
}

/** The first unit that systemd has; none where systemd does not run. */
function loadedUnit(shown: StepResult | undefined): string | undefined {
  if (shown === undefined || shown.failure !== undefined) return undefined;
  const loaded = shown.stdout
    .split('\n\n')
    .filter((block) => /^LoadState=loaded$/m.test(block))
    .map((block) => /^Id=(.+)$/m.exec(block)?.[1]);
  return units.find((unit) => loaded.includes(unit));
}

interface Found {
  readonly home: string;
  /** Whether systemd runs the machine. */
  readonly systemd: boolean;
  readonly unit: string | undefined;
  /** Programs in `bin` that nobody but root can have put there. */
  readonly trusted: readonly string[];
  /** Why one that is there is not among them. */
  readonly wrong: string | undefined;
}

function settle({ home, systemd, unit, trusted, wrong }: Found): Usability {
  const control = controls.find((name) => trusted.includes(name));
  if (unit !== undefined) {
    const family = unit.split('-')[0]?.split('.')[0] ?? '';
    const checks = programsOf(family).filter((name) => trusted.includes(name));
    const settled = { home, unit, checks: checks.join(' ') };
    return { usable: true, why: `${unit} of systemd`, families: [], settled };
  }
  if (control !== undefined) {
    const settled = { home, control, ...(systemd ? { scope: 'yes' } : {}) };
    return { usable: true, why: `${home}/bin/${control}`, families: [], settled };
  }
  const why = `no agent of Wazuh or OSSEC: no unit of systemd, no control script in ${home}/bin`;
  return { usable: false, why: wrong ?? why, families: [] };
}

/** A control script looks at the configuration itself. */
function stepsOf(
  home: string,
  { unit, control = controls[0], scope, checks = '' }: Settings,
): Step[] {
  const path = `${home}/bin/${control}`;
  const long = { deadlineMs: restartMs, leavesDaemons: true } as const;
  if (unit !== undefined) {
    return [
      ...wordsOf(checks).map((name): CommandStep => {
        return { kind: 'command', tool: `${home}/bin/${name}`, args: ['-t'], deadlineMs: checkMs };
      }),
      { kind: 'command', tool: 'systemctl', args: ['restart', unit], ...long },
    ];
  }
  if (scope === undefined) return [{ kind: 'command', tool: path, args: ['restart'], ...long }];
  // What it starts would live in the control group of ar-exec, and end with it.
  const args = ['--scope', '--quiet', '--collect', '--', path, 'restart'];
  return [
    { kind: 'check-executable', path },
    { kind: 'command', tool: 'systemd-run', args, ...long },
  ];
}

function judge({ checks = '' }: Settings, results: readonly StepResult[]): Judgement {
  const last = results.at(-1);
  if (last === undefined) return { done: false, why: 'nothing was carried out', again: false };
  if (last.failure === undefined) return { done: true };
  const said = last.stderr.trim() || last.stdout.trim() || last.failure;
  const check = wordsOf(checks)[results.length - 1];
  if (check !== undefined) {
    const why = `${check} -t does not accept its configuration, so it was left running: ${said}`;
    return { done: false, why, again: false };
  }
  return { done: false, why: `it was not restarted: ${said}`, again: last.failure !== 'missing' };
}

function wordsOf(text: string): string[] {
  return text.split(' ').filter(Boolean);
}
