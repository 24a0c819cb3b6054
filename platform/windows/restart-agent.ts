/**
 * Restarts the service of the manager's agent: Wazuh's, or OSSEC's (and Wazuh's until 4.2, which had the
 * same name). Its programs for Windows cannot be asked whether its configuration loads, as those for Unix
 * can: what does not start again is told as it is.
 */
import type { Judgement, OneShot, OneShotKind, Settings, Usability } from '../driver.ts';
import type { StepResult } from '../step.ts';
import { saidOf } from './answers.ts';

/** In order of preference. */
const services = ['WazuhSvc', 'OssecSvc'] as const;
/** ERROR_SERVICE_DOES_NOT_EXIST: what sc.exe ends with. */
const noService = 1060;
/** Windows gives a service that starts or stops 30 s for each sign of life. */
const deadlineMs = 150_000;
/** A storm of alerts must not keep the agent restarting: what comes sooner is done at the end, once. */
const everyMs = 60_000;

export const restartAgentWindows: OneShotKind = {
  name: 'restart-agent-windows',
  defaults: {},
  about: {
    systems: ['Windows'],
    add: "`net stop` and `net start` of the manager's agent",
    options: [],
  },
  make: (settings: Settings): OneShot => ({
    name: 'restart-agent-windows',
    settings,
    traits: { tries: 3, repeatable: true, atOnce: 1, everyMs },
    probe: {
      steps: services.map((service) => ({
        kind: 'command',
        tool: 'sc',
        args: ['query', service],
      })),
      read: readProbe,
    },
    perform: () => ({
      steps: [
        {
          kind: 'restart-service',
          service: settings['service'] ?? services[0],
          deadlineMs,
        },
      ],
      read: ([result]) => judge(result),
    }),
  }),
};

function readProbe(answers: readonly StepResult[]): Usability {
  const unusable = (why: string): Usability => ({ usable: false, why, families: [] });
  const service = services.find((_, index) => answers[index]?.failure === undefined);
  const strange = answers.find(({ failure, exitCode }) => failure && exitCode !== noService);
  if (service !== undefined && answers.length > 0) {
    return { usable: true, why: `the service ${service}`, families: [], settled: { service } };
  }
  if (strange !== undefined) {
    return unusable(`sc does not tell of services: ${saidOf(strange)}`);
  }
  return unusable(`no agent of Wazuh or OSSEC: no service ${services.join(' or ')}`);
}

function judge(result: StepResult | undefined): Judgement {
  if (result === undefined) return { done: false, why: 'nothing was carried out', again: false };
  if (result.failure === undefined) return { done: true };
  const said = result.stderr.trim() || result.failure;
  return { done: false, why: said, again: result.failure !== 'missing' };
}
