/** What is asked in the tortures of everything at once, and whether journal and machine agree on what came of it. */
import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { expect } from 'vitest';
import type { ActionReply } from '../../agent/reply.ts';
import type { Endpoint, Reply } from '../crash/endpoint.ts';
import type { Chance } from './course.ts';
import { type Everything, type Field, fields, nameOf } from './everything.ts';
import type { Request } from './ledger.ts';

/** What is being ended or was not mended at once is looked at again this long. */
const usualSettlingMs = 60_000;
/** Effects come and go by themselves around these moments. */
const edgeMs = 2_500;

/** One request, of whatever response, as it happens. */
export function draw(chance: Chance): Request & { readonly place: number } {
  const sum = fields.reduce((all, { weight }) => all + weight, 0);
  let at = chance.fraction() * sum;
  let place = 0;
  while (place < fields.length - 1 && at >= (fields[place]?.weight ?? 0)) {
    at -= fields[place]?.weight ?? 0;
    place += 1;
  }
  const { response, targets } = fields[place] as Field;
  const command = chance.below(10) < 6 ? 'add' : 'delete';
  // A script is run once where no time is named, and nothing is held of it.
  const longest = response === 'mark.sh' ? 900 : 0;
  const seconds = chance.one([1, 1, 2, 3, 5, 600, longest]);
  const timeoutSeconds = seconds === 0 ? undefined : seconds;
  return { place, command, response, target: chance.one(targets), timeoutSeconds };
}

export interface Line {
  /** How many answers are still to come. */
  waiting(): number;
  ask(message: object, onReply: (reply: Reply) => void): void;
  close(): void;
}

/** A connection that asks on without waiting; what comes back is in the order of what was asked. */
export function openLine(path: string): Line {
  const socket = connect(path);
  const waiting: ((reply: Reply) => void)[] = [];
  // The agent is killed in the middle of it.
  socket.on('error', () => {});
  createInterface({ input: socket })
    .on('line', (line) => waiting.shift()?.(JSON.parse(line)))
    .on('error', () => {});
  return {
    waiting: () => waiting.length,
    ask: (message, onReply) => {
      waiting.push(onReply);
      if (socket.writable) socket.write(`${JSON.stringify(message)}\n`);
    },
    close: () => socket.destroy(),
  };
}

export function messageOf({ command, response, target, timeoutSeconds }: Request): object {
  const member = fields.find((one) => one.response === response)?.member ?? '';
  return { command, response, [member]: target, ...(command === 'add' ? { timeoutSeconds } : {}) };
}

/** What a script of somebody's own did can be seen by nobody but the test. */
const isMark = (name: string): boolean => name.startsWith('mark.sh ');

/** Every live action stands, once; nothing else of ours does. Returns how many were compared. */
export async function agree(
  endpoint: Endpoint,
  everything: Everything,
  settlingMs = usualSettlingMs,
): Promise<number> {
  const deadline = performance.now() + settlingMs;
  for (;;) {
    const before = await endpoint.list();
    const standing = await everything.standing();
    const after = await endpoint.list();
    const wrong = disagreements(before, standing, after);
    if (wrong.length === 0) return before.length;
    // What a tool that was killed left to do is done within its pauses, and scripts that had not been
    // started are run once the agent is back. All else is right at once.
    const unfinished = [...before, ...after].some(({ state }) => state !== 'active');
    const atOnce = wrong.filter((sentence) => !isMark(sentence));
    if (!unfinished) expect(atOnce).toEqual([]);
    if (performance.now() > deadline) expect(wrong).toEqual([]);
    await pause(100);
  }
}

function disagreements(
  before: readonly ActionReply[],
  standing: ReadonlyMap<string, number>,
  after: readonly ActionReply[],
): string[] {
  const wrong: string[] = [];
  const now = Date.now();
  const ids = (actions: readonly ActionReply[]) => new Set(actions.map(({ action }) => action));
  const [earlier, later] = [ids(before), ids(after)];
  const explained = new Set<string>();
  for (const one of [...before, ...after]) {
    const { action, response, target, state, until, trouble } = one;
    const name = nameOf(response, target);
    explained.add(name);
    const ends = until === null ? Number.POSITIVE_INFINITY : Date.parse(until);
    if (!earlier.has(action) || !later.has(action) || Math.abs(ends - now) < edgeMs) continue;
    const times = standing.get(name) ?? 0;
    if (ends < now) wrong.push(`${name} is over and still ${state}`);
    else if (state !== 'active') wrong.push(`${name} is ${state}: ${trouble}`);
    // A script that was killed may have done nothing; nobody can look, and it counts as held.
    else if (times !== 1 && !(response === 'mark.sh' && times === 0)) {
      wrong.push(`${name} is active, and stands ${times} times`);
    }
  }
  for (const [name, times] of standing) {
    if (explained.has(name)) continue;
    wrong.push(`${name} stands ${times} times, and nobody owns it`);
  }
  return [...new Set(wrong)];
}

/** All that has an end comes to it by itself; the rest is deleted. */
export async function everythingEnds(endpoint: Endpoint): Promise<void> {
  const deadline = performance.now() + usualSettlingMs;
  for (;;) {
    const live = await endpoint.list();
    const soon = Date.now() + 30_000;
    const ending = live.filter(({ until }) => until !== null && Date.parse(until) < soon);
    if (ending.length === 0) break;
    if (performance.now() > deadline) expect(ending).toEqual([]);
    await pause(100);
  }
  for (let tries = 0; (await endpoint.list()).length > 0; tries += 1) {
    expect(tries).toBeLessThan(20);
    for (const { response, target } of await endpoint.list()) {
      await endpoint.ask(messageOf({ command: 'delete', response, target }));
    }
  }
}
