/**
 * A storm of additions, deletions and ends over all Linux drivers at once, in which the agent, the
 * tools that it runs, or both are killed at any moment. After every restart journal and machine agree
 * and what was promised is true; at the end nothing of ours is left, and what is not ours was not touched.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { ActionReply } from '../../agent/reply.ts';
import { createEndpoint, type Endpoint, type Reply } from '../crash/endpoint.ts';
import { requires } from '../requirements.ts';
import { amount, createChance, isLong, keepFigures, patienceMs, shareMs } from './course.ts';
import { createEverything, type Field, fields, manners, nameOf } from './everything.ts';
import { createLedger, type Request } from './ledger.ts';

/** It goes on until it has these, or the time of the long form is over. */
const wantedKills = amount(30, 1_500);
const wantedLives = amount(8, 250);
const longestLifeMs = 10_000;
const mostWaiting = 4;
/** What is being ended or was not mended at once is looked at again this long. */
const settlingMs = 60_000;
/** Effects come and go by themselves around these moments. */
const edgeMs = 2_500;

const everything = createEverything();
const { facility } = everything;

requires(
  'root',
  'namespaces',
  'ip',
  ...facility.needs,
)('a storm with kills in it', () => {
  test('loses nothing, leaves nothing, touches nothing else', {
    timeout: patienceMs('storm', 300_000),
  }, async () => {
    const chance = createChance('storm');
    const ledger = createLedger();
    const kills = { agent: 0, tool: 0, both: 0 };
    const counts = {
      lives: 0,
      asked: 0,
      answered: 0,
      refused: 0,
      compared: 0,
      longestStartMs: 0,
    };
    const total = () => kills.agent + kills.tool + kills.both;
    const endpoint = await createEndpoint(facility);
    const began = performance.now();
    const timeIsOver = () => isLong && performance.now() - began > shareMs('storm');
    try {
      const planted = await endpoint.dump();
      while ((total() < wantedKills || counts.lives < wantedLives) && !timeIsOver()) {
        // Another way to do the same; what is held stays the business of its driver.
        await everything.configure(chance.one(manners));
        const startedAt = performance.now();
        await endpoint.start();
        counts.longestStartMs = Math.max(counts.longestStartMs, performance.now() - startedAt);
        counts.lives += 1;
        counts.compared += await agree(endpoint);
        expect(ledger.broken(await endpoint.list(), Date.now())).toEqual([]);
        if (counts.lives % 10 === 1) {
          expect(facility.foreign(await endpoint.dump())).toBe(facility.foreign(planted));
        }
        if (isLong) tell();
        await storm(endpoint);
      }
      await everything.configure(manners[0] ?? '');
      await endpoint.start();
      await agree(endpoint);
      expect(ledger.broken(await endpoint.list(), Date.now())).toEqual([]);
      await everythingEnds(endpoint);
      await endpoint.stop();
      expect(await endpoint.dump()).toBe(planted);
      expect([...(await everything.standing()).keys()]).toEqual([]);
      // A script that was asked twice at a time did once what both wanted: the second is done.
      const over = new Set(['reverted', 'failed', 'done']);
      expect(endpoint.journal().filter(({ state }) => !over.has(state))).toEqual([]);
    } finally {
      await keepFigures('storm', {
        kills: total(),
        ...Object.fromEntries(Object.entries(kills).map(([what, n]) => [`kills of ${what}`, n])),
        ...counts,
        longestStartMs: Math.round(counts.longestStartMs),
        promises: ledger.promises(),
        minutes: Math.round((performance.now() - began) / 6_000) / 10,
      });
      await endpoint.close();
    }

    /** How far it is, for whoever waits. */
    function tell(): void {
      const minutes = ((performance.now() - began) / 60_000).toFixed(1);
      process.stdout.write(`storm: ${total()} kills in ${minutes} minutes\n`);
    }

    /** Asks without end, and kills in between: tools some times, then the agent, or both. */
    async function storm(endpoint: Endpoint): Promise<void> {
      let over = false;
      const peers = fields.map(() => openLine(everything.socket()));
      const asking = askOn(peers, () => over);
      // A moment counts in what was done by then, however slow the machine is just now.
      const enough = counts.answered + chance.below(120);
      const deadline = performance.now() + longestLifeMs;
      while (counts.answered < enough && performance.now() < deadline) {
        await pause(chance.below(60));
        if (chance.below(6) === 0) kills.tool += killTools(endpoint, 1);
      }
      await pause(chance.below(40));
      const withTools = chance.below(2) === 1;
      if (withTools) {
        const agent = endpoint.pid();
        for (const pid of [...descendants(agent), agent]) kill(pid);
      }
      await endpoint.kill();
      kills[withTools ? 'both' : 'agent'] += 1;
      over = true;
      for (const peer of peers) peer.close();
      await asking;
    }

    function killTools(endpoint: Endpoint, most: number): number {
      const tools = descendants(endpoint.pid());
      return chance.shuffled(tools).slice(0, most).filter(kill).length;
    }

    /** Replies come in the order of the requests, so each response has a connection of its own. */
    async function askOn(peers: readonly Line[], isOver: () => boolean): Promise<void> {
      while (!isOver()) {
        for (let left = 1 + chance.below(12); left > 0; left -= 1) {
          const { place, ...request } = draw();
          // What is promised has to be answered before it can be asked about again.
          if ((peers[place] as Line).waiting() > mostWaiting) continue;
          const answered = ledger.asked(request);
          counts.asked += 1;
          (peers[place] as Line).ask(messageOf(request), (reply) => {
            counts.answered += 1;
            if (!reply.ok) counts.refused += 1;
            answered(reply);
          });
        }
        await pause(5 + chance.below(30));
      }
    }

    function draw(): Request & { readonly place: number } {
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
  });
});

interface Line {
  /** How many answers are still to come. */
  waiting(): number;
  ask(message: object, onReply: (reply: Reply) => void): void;
  close(): void;
}

/** A connection that asks on without waiting; what comes back is in the order of what was asked. */
function openLine(path: string): Line {
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

function messageOf({ command, response, target, timeoutSeconds }: Request): object {
  const member = fields.find((one) => one.response === response)?.member ?? '';
  return { command, response, [member]: target, ...(command === 'add' ? { timeoutSeconds } : {}) };
}

/** What a process has started, and what that has. */
function descendants(pid: number): number[] {
  try {
    return readdirSync(`/proc/${pid}/task`)
      .flatMap((thread) =>
        readFileSync(`/proc/${pid}/task/${thread}/children`, 'utf8').split(' ').filter(Boolean),
      )
      .flatMap((child) => [Number(child), ...descendants(Number(child))]);
  } catch {
    return [];
  }
}

function kill(pid: number): boolean {
  try {
    return process.kill(pid, 'SIGKILL');
  } catch {
    // It had ended.
    return false;
  }
}

/** What a script of somebody's own did can be seen by nobody but the test. */
const isMark = (name: string): boolean => name.startsWith('mark.sh ');

/** Every live action stands, once; nothing else of ours does. Returns how many were compared. */
async function agree(endpoint: Endpoint): Promise<number> {
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
async function everythingEnds(endpoint: Endpoint): Promise<void> {
  const deadline = performance.now() + settlingMs;
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
