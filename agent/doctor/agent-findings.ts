/** What there is to say about the agent, from what it says of itself. */
import type { Finding } from '../../platform/driver.ts';
import type { System } from '../../platform/system.ts';
import type { AgentState, DriverState } from './report.ts';

/** The part of the reply to `status` that is looked at. */
export interface AgentStatus {
  readonly version: string;
  readonly pid: number;
  readonly healthy: boolean;
  readonly actions: Readonly<Record<string, number>>;
  readonly drivers: readonly {
    readonly driver: string;
    readonly usable: boolean;
    readonly why: string;
    readonly trouble?: readonly string[];
  }[];
  readonly breaker?: {
    readonly open: boolean;
    readonly why?: string;
    readonly refused?: number;
  };
  /** What is in place of a manager's execd. */
  readonly execd?: {
    readonly sockets: readonly {
      readonly path: string;
      readonly trouble?: string;
      readonly remedy?: string;
    }[];
  };
}

export type AgentAnswer =
  | { readonly answers: true; readonly status: AgentStatus }
  /** `code` is the system's own, such as EACCES, where there is one. */
  | { readonly answers: false; readonly why: string; readonly code?: string | undefined };

export function describeAgent(answer: AgentAnswer): AgentState {
  if (!answer.answers) return { runs: false, says: answer.why };
  const { version, pid, healthy } = answer.status;
  const state = healthy ? 'all is as it should be' : 'something is not as it should be';
  return { runs: true, healthy, says: `version ${version}, process ${pid}: ${state}` };
}

export interface Here {
  readonly version: string;
  readonly socket: string;
  /** What is found of the drivers now. */
  readonly drivers: readonly DriverState[];
  /** The drivers can only be judged from here by root. */
  readonly asRoot: boolean;
  readonly system?: System;
}

const healthy: Finding = {
  id: 'agent-healthy',
  level: 'ok',
  what: 'The agent runs, and all is as it should be.',
};

export function agentFindings(answer: AgentAnswer, here: Here): Finding[] {
  if (!answer.answers) return [silent(answer.why, answer.code, here)];
  const { status } = answer;
  const execd = [...breakerFindings(status), ...execdFindings(status)];
  return [
    ...(status.healthy ? [healthy] : unhealthy(status, execd.length > 0)),
    ...execd,
    ...(status.version === here.version ? [] : [otherVersion(status.version, here.version)]),
    ...(here.asRoot ? outdated(status, here.drivers) : []),
  ];
}

function silent(why: string, code: string | undefined, { socket, system }: Here): Finding {
  const onWindows = system === 'win32';
  if (code === 'EACCES' || code === 'EPERM') {
    return {
      id: 'agent-not-allowed',
      level: 'warning',
      what: `This user may not ask the agent at ${socket}.`,
      remedy: onWindows
        ? 'Ask from a prompt that was opened with "Run as administrator".'
        : 'Be root, or join the group that <socket_group> names.',
    };
  }
  const nobody = code === 'ENOENT' || code === 'ECONNREFUSED';
  return {
    id: 'agent-absent',
    level: nobody ? 'warning' : 'problem',
    what: nobody ? 'No agent runs.' : `The agent does not answer: ${why}.`,
    why: 'Nothing is accepted, taken back on time or repaired. Where the kernel ends blocks by itself, it does.',
    remedy: onWindows
      ? 'Start it: net start ar-exec. If there is no such service: ar-exec service install (docs/platforms.md).'
      : 'Start it: ar-exec run (as root; docs/operations.md).',
  };
}

/** `known`: there is a reason besides, which is told by itself. */
function unhealthy({ actions, drivers }: AgentStatus, known: boolean): Finding[] {
  const troubles = drivers.flatMap(({ driver, trouble = [] }) =>
    trouble.map((one) => `${driver}: ${one}`),
  );
  const counts = (['missing', 'reverting'] as const).flatMap((state) =>
    (actions[state] ?? 0) > 0 ? [`${actions[state]} ${state}`] : [],
  );
  const all = [...counts, ...troubles];
  if (known && all.length === 0) return [];
  return [
    {
      id: 'agent-troubled',
      level: 'problem',
      what: `The agent runs, and not all is as it should be: ${all.join('; ')}.`,
      why: 'What is held, and what the machine holds, differ. It goes on trying by itself.',
      remedy: 'See "ar-exec status" and "ar-exec list".',
    },
  ];
}

function breakerFindings({ breaker }: AgentStatus): Finding[] {
  if (breaker?.open !== true) return [];
  const what = breaker.why === 'held' ? 'hold too much' : 'ask for too much at once';
  return [
    {
      id: 'breaker-open',
      level: 'problem',
      what: `Alerts ${what}: what they ask for anew is refused (${breaker.refused ?? 0} requests so far).`,
      why: 'Whoever can forge alerts could have everybody blocked. It closes by itself when it is calm.',
      remedy: 'See whether the alerts are genuine; then: ar-exec breaker close',
    },
  ];
}

function execdFindings({ execd }: AgentStatus): Finding[] {
  return (execd?.sockets ?? []).flatMap(({ path, trouble, remedy }): Finding[] => {
    if (trouble === undefined) return [];
    return [
      {
        id: 'execd-not-replaced',
        level: 'problem',
        what: `The manager's agent does not reach ${path}: ${trouble}.`,
        why: 'What the manager asks for does not come here. It is looked at again every ten seconds.',
        remedy: remedy ?? 'See docs/execd.md.',
      },
    ];
  });
}

function otherVersion(running: string, here: string): Finding {
  return {
    id: 'agent-other-version',
    level: 'warning',
    what: `The agent that runs is version ${running}, and this is ${here}.`,
    remedy: 'Restart the agent; what is held stays in force.',
  };
}

/** The choice of drivers is made once, at the start. */
function outdated(status: AgentStatus, now: readonly DriverState[]): Finding[] {
  return status.drivers.flatMap(({ driver, usable }): Finding[] => {
    const found = now.find((one) => one.driver === driver);
    if (found === undefined || found.usable === usable) return [];
    const what = found.usable
      ? `${driver} can be used now, and could not when the agent started.`
      : `${driver} could be used when the agent started, and cannot now: ${found.why}.`;
    return [
      {
        id: 'driver-changed',
        level: 'warning',
        what,
        why: 'The agent chose its drivers when it started.',
        remedy: 'Restart the agent; what is held stays in force.',
      },
    ];
  });
}
