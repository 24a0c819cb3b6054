/** What follows from an alert on this machine, as the configuration has it now. */
import { hostname } from 'node:os';
import type { Composed } from '../compose.ts';
import { defaultPaths } from '../config/default-paths.ts';
import type { Config } from '../config/settings.ts';
import { fromAlert, headOf } from '../intake/dialects/alert.ts';
import { type Identity, judge, timeoutOf } from '../policy/triggers.ts';
import { checkScriptFile } from '../system/script-file.ts';
import type { ActiveResponse, Request } from '../words.ts';

/** A command that an alert does not run, and why, as the end of a sentence. */
export interface PassedOver {
  readonly response: string;
  readonly why: string;
}

export interface Triggered {
  readonly requests: readonly Request[];
  readonly passedOver: readonly PassedOver[];
}

/** Never rejects. */
export type Triggering = (alert: object) => Promise<Triggered>;

/** `onAbsent` is told once of each executable that is not present on this system. */
export function createTriggering(
  { settled }: Pick<Composed, 'settled'>,
  onAbsent: (executable: string) => void = () => {},
): Triggering {
  const told = new Set<string>();

  const isPresent = async (name: string): Promise<boolean> => {
    const { define, config } = settled();
    const { scripts, scriptsFolder } = config;
    if (define(name) !== undefined || scripts.has(name)) return true;
    if (name.includes('/')) return false;
    const found = await checkScriptFile(scriptsFolder ?? defaultPaths().scriptsFolder, name);
    // One that must not be run is refused later, and says why each time.
    return found.fit || found.kind !== 'absent';
  };

  const tellOnce = (executable: string): void => {
    if (told.has(executable)) return;
    told.add(executable);
    onAbsent(executable);
  };

  return async (alert) => {
    const { config } = settled();
    const { activeResponses, activeResponseDisabled } = config;
    const who = identityOf(config);
    if (activeResponseDisabled) {
      return { requests: [], passedOver: activeResponses.map((one) => passedOver(one, allOff)) };
    }
    if (activeResponses.length === 0) return nothing;
    const requests: Request[] = [];
    const others: PassedOver[] = [];
    for (const { activeResponse, why } of judge(headOf(alert), activeResponses, who)) {
      const { command } = activeResponse;
      if (why !== undefined) {
        others.push(passedOver(activeResponse, why));
      } else if (await isPresent(command.executable)) {
        const trigger = { command, timeoutSeconds: timeoutOf(activeResponse) };
        requests.push(fromAlert(alert, trigger, who.name));
      } else {
        tellOnce(command.executable);
        others.push(passedOver(activeResponse, `${command.executable} is not on this system`));
      }
    }
    return { requests: withoutRepeats(requests), passedOver: others };
  };
}

/** One alert asks for the same thing once, for the longest of the times that it is given. */
function withoutRepeats(requests: readonly Request[]): readonly Request[] {
  if (requests.length < 2) return requests;
  const byWish = new Map<string, Request>();
  for (const request of requests) {
    const wish = JSON.stringify([request.response, request.facts?.extraArgs]);
    const earlier = byWish.get(wish);
    if (earlier === undefined || seconds(request) > seconds(earlier)) byWish.set(wish, request);
  }
  return [...byWish.values()];
}

function seconds({ timeoutSeconds = Number.POSITIVE_INFINITY }: Request): number {
  return timeoutSeconds;
}

const allOff = 'active responses are disabled on this machine';
const nothing: Triggered = { requests: [], passedOver: [] };

/** Without a name in the configuration it is the machine's. */
function identityOf({ agentId, agentName, agentRole }: Config): Identity {
  return { id: agentId, name: agentName ?? hostname(), role: agentRole };
}

function passedOver({ command }: ActiveResponse, why: string): PassedOver {
  return { response: command.name, why };
}
