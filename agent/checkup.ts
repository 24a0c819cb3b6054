/** Gathers what `ar-exec doctor` tells: asks the machine and the agent, and changes nothing. */
import { release } from 'node:os';
import { dirname } from 'node:path';
import { checksOn } from '../platform/checks.ts';
import type { Finding, Question } from '../platform/driver.ts';
import { drivers, oneShots } from '../platform/index.ts';
import type { Runner, Step } from '../platform/step.ts';
import type { System } from '../platform/system.ts';
import { compose } from './compose.ts';
import { currentSystem, defaultPaths } from './config/default-paths.ts';
import type { Loaded } from './config/load.ts';
import { readConfig } from './config/read.ts';
import {
  type AgentAnswer,
  type AgentStatus,
  agentFindings,
  describeAgent,
} from './doctor/agent-findings.ts';
import { readDistribution } from './doctor/packages.ts';
import {
  asideFindings,
  groupFindings,
  journalFindings,
  logFindings,
} from './doctor/place-findings.ts';
import { type Report, type ResponseState, sortFindings, withInstall } from './doctor/report.ts';
import { driverState, responseFindings } from './doctor/response-findings.ts';
import { type ScriptState, scriptFindings } from './doctor/script-findings.ts';
import { ArError } from './errors.ts';
import { ask } from './intake/client.ts';
import { findResponse, findResponseOn, responses } from './policy/responses.ts';
import { reach } from './reach.ts';
import { createScripts } from './script/find.ts';
import { scriptDriver } from './script/settings.ts';
import { knownNames } from './settle/known-names.ts';
import { loadHere } from './settle/load-here.ts';
import { configuredResponses } from './settle/notifications.ts';
import type { Settled } from './settle/settle.ts';
import { groupId } from './system/folders.ts';
import { lookAtPlace, namesIn } from './system/place.ts';
import { checkScriptFile } from './system/script-file.ts';
import { version } from './version.ts';

/** An agent that works takes milliseconds. */
const answerMs = 10_000;
const kinds = [...drivers, ...oneShots];

/** Where to look; what is absent has its default. */
interface Places {
  readonly config?: string;
  readonly state?: string;
  readonly socket?: string;
}

/** A machine that is not this one: how a test looks at each system. */
interface Elsewhere {
  readonly system?: System;
  readonly run?: Runner;
}

/** Looks at everything that a report tells. */
export async function examineAll(places: Places, elsewhere: Elsewhere = {}): Promise<Report> {
  const { system = currentSystem() } = elsewhere;
  const { loaded, findings: configFindings } = await load(places.config);
  const { config } = loaded;
  const socket = places.socket ?? defaultPaths().socket;
  const uid = process.getuid?.() ?? 0;

  const { composed, run, missing } = await probe(config, system, elsewhere.run);
  const osRelease = await run({ kind: 'read-file', path: '/etc/os-release' });
  const distribution = readDistribution(osRelease.stdout, system);
  const states = composed
    .settled()
    .probes.map(({ driver, usability }) =>
      driverState(driver, usability, missing(driver), distribution),
    );
  const possible = responsesNow(loaded, composed.settled());
  const scripts = await lookAtScripts(loaded, system);
  const agent = await askAgent(socket);
  const findings = [
    ...configFindings,
    ...agentFindings(agent, { version, socket, drivers: states, asRoot: uid === 0, system }),
    ...responseFindings(possible, states, (name) => candidatesOf(loaded, name), distribution),
    ...(await placeFindings(loaded, places, { uid, system, run })),
    ...scriptFindings(scripts, system),
    ...composed.settled().probes.flatMap(({ usability }) => usability.findings ?? []),
    ...(await answers(run, questions(composed.settled(), system))),
  ];
  return {
    ok: !findings.some(({ level }) => level === 'problem'),
    version,
    system: `${distribution.name}, kernel ${release()}`,
    config: loaded.file ?? null,
    agent: describeAgent(agent),
    drivers: states,
    responses: [...possible, ...ownResponses(loaded, scripts)],
    findings: sortFindings(findings.map((one) => withInstall(one, distribution))),
  };
}

/** Without a configuration that can be used the rest is looked at as with none. */
async function load(file: string | undefined): Promise<{ loaded: Loaded; findings: Finding[] }> {
  try {
    const loaded = await loadHere(file);
    const findings = loaded.warnings.map(
      (what): Finding => ({ id: 'config-warning', level: 'warning', what }),
    );
    return { loaded, findings };
  } catch (error) {
    if (!(error instanceof ArError)) throw error;
    const { message, hint } = error;
    const finding: Finding = {
      id: 'config-invalid',
      level: 'problem',
      what: message,
      why: 'An agent does not start with it; what follows is as without a configuration.',
      remedy: hint,
    };
    return { loaded: readConfig('', '', knownNames), findings: [finding] };
  }
}

/** Probes every driver, and notes which tools are not there. */
async function probe(config: Loaded['config'], system: System, door?: Runner) {
  const absent = new Set<string>();
  const doors: Runner[] = [];
  const noting = (own: Runner): Runner => {
    const inner = door ?? own;
    doors.push(inner);
    return async (step) => {
      const result = await inner(step);
      if (result.failure === 'missing' && step.kind === 'command') absent.add(step.tool);
      return result;
    };
  };
  const nobody = { refused: () => {}, outcome: () => {}, repaired: () => {}, trouble: () => {} };
  const composed = await compose({
    config,
    state: ':memory:',
    report: nobody,
    system,
    adornments: { runner: noting },
  });
  const missing = (driver: string): string[] => {
    const found = composed.settled().probes.find((one) => one.driver === driver);
    const kind = kinds.find(({ name }) => name === driver);
    const steps = kind?.make(found?.instance.settings ?? {}).probe.steps ?? [];
    return [...new Set(steps.flatMap(toolOf).filter((tool) => absent.has(tool)))];
  };
  const [run] = doors;
  if (run === undefined) throw new Error('the stages have no door to the machine');
  return { composed, run, missing };
}

function toolOf(step: Step): string[] {
  return step.kind === 'command' ? [step.tool] : [];
}

function candidatesOf({ config }: Loaded, response: string): readonly string[] {
  const known = responses.find(({ name }) => name === response)?.drivers ?? [];
  return config.drivers.get(response) ?? known;
}

function responsesNow({ config }: Loaded, { chosen }: Settled): ResponseState[] {
  return responses.map(({ name, target }): ResponseState => {
    const choice = chosen.get(name);
    return {
      response: name,
      actsOnAddresses: target === 'address',
      ipv4: choice?.byFamily[4],
      ipv6: choice?.byFamily[6],
      driver: choice?.first,
      pinned: config.drivers.has(name),
      why: choice?.why ?? '',
    };
  });
}

/** Notifications and scripts, which the configuration or a folder makes to responses. */
function ownResponses({ config }: Loaded, scripts: readonly ScriptState[]): ResponseState[] {
  const notifying = [...new Set(configuredResponses(config.notifications).values())]
    .filter(({ name }) => findResponse(name) === undefined)
    .map(({ name, instance }) => [name, instance.driver] as const);
  const runnable = scripts
    .filter(({ fit }) => fit)
    .map(({ name }) => [name, scriptDriver] as const);
  return [...notifying, ...runnable].map(([response, driver]) => ({
    response,
    actsOnAddresses: false,
    driver,
    pinned: false,
    why: `${response} is made by the configuration or by its file`,
  }));
}

/** Every script that a request could name, looked at as it is before each run. */
async function lookAtScripts({ config }: Loaded, system: System): Promise<ScriptState[]> {
  const folder = config.scriptsFolder ?? defaultPaths().scriptsFolder;
  const names = await createScripts(folder, config.scripts, () => undefined).names();
  const others = [...new Set(names)].filter((name) => findResponseOn(system, name) === undefined);
  return Promise.all(
    others.map(async (name) => {
      const declaration = config.scripts.get(name);
      const found = await checkScriptFile(folder, declaration?.file ?? name);
      return { name, declared: declaration !== undefined, ...found };
    }),
  );
}

async function askAgent(socket: string): Promise<AgentAnswer> {
  try {
    const asking = () => ask(socket, { command: 'status' }, answerMs);
    const status = (await reach(socket, asking)) as AgentStatus;
    return { answers: true, status };
  } catch (error) {
    if (!(error instanceof ArError)) throw error;
    const code = (error.cause as NodeJS.ErrnoException | undefined)?.code;
    return { answers: false, why: error.message, code };
  }
}

async function placeFindings(
  { config }: Loaded,
  places: Places,
  { uid, system, run }: { readonly uid: number; readonly system: System; readonly run: Runner },
): Promise<Finding[]> {
  const paths = defaultPaths();
  const log = config.activeResponsesLog ?? paths.activeResponsesLog;
  const files = [
    ['active-responses.log', log] as const,
    ...(config.logFile === undefined ? [] : [['The log', config.logFile] as const]),
    ...(isFile(config.resultsLog) ? [['The results log', config.resultsLog] as const] : []),
  ];
  const logs = await Promise.all(
    files.map(async ([what, file]) => logFindings(what, file, await lookAtPlace(dirname(file)))),
  );
  const gid = await groupId(config.socketGroup, system, run);
  const state = places.state ?? paths.stateFolder;
  return [
    ...journalFindings(await lookAtPlace(state), uid),
    ...asideFindings(state, await namesIn(state)),
    ...logs.flat(),
    ...groupFindings(config.socketGroup, gid !== undefined, system),
  ];
}

/** One beside active-responses.log is looked after with it. */
function isFile(resultsLog: string | undefined): resultsLog is string {
  return resultsLog !== undefined && resultsLog !== 'none';
}

/** The checks of the machine, and what the usable drivers want to know of it. */
function questions({ probes }: Settled, system: System): Question<readonly Finding[]>[] {
  const own = probes.flatMap(({ driver, instance, usability }) => {
    const kind = kinds.find(({ name }) => name === driver);
    const question = kind?.make(instance.settings).diagnose;
    return usability.usable && question !== undefined ? [question] : [];
  });
  return [...checksOn(system).map(({ question }) => question), ...own];
}

async function answers(
  run: Runner,
  asked: readonly Question<readonly Finding[]>[],
): Promise<Finding[]> {
  const found = await Promise.all(
    asked.map(async ({ steps, read }) => read(await Promise.all(steps.map(run)))),
  );
  return found.flat();
}
