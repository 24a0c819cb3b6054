/**
 * A storm of additions, deletions and ends over all Linux drivers at once, in which the agent, the
 * tools that it runs, or both are killed at any moment. After every restart journal and machine agree
 * and what was promised is true; at the end nothing of ours is left, and what is not ours was not touched.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { createEndpoint, type Endpoint } from '../crash/endpoint.ts';
import { requires } from '../requirements.ts';
import { agree, draw, everythingEnds, type Line, messageOf, openLine } from './agreement.ts';
import { amount, createChance, isLong, keepFigures, patienceMs, shareMs } from './course.ts';
import { createEverything, fields, manners } from './everything.ts';
import { createLedger } from './ledger.ts';

/** It goes on until it has these, or the time of the long form is over. */
const wantedKills = amount(30, 1_500);
const wantedLives = amount(8, 250);
const longestLifeMs = 10_000;
const mostWaiting = 4;

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
        counts.compared += await agree(endpoint, everything);
        expect(ledger.broken(await endpoint.list(), Date.now())).toEqual([]);
        if (counts.lives % 10 === 1) {
          expect(facility.foreign(await endpoint.dump())).toBe(facility.foreign(planted));
        }
        if (isLong) tell();
        await storm(endpoint);
      }
      await everything.configure(manners[0] ?? '');
      await endpoint.start();
      await agree(endpoint, everything);
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
          const { place, ...request } = draw(chance);
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
  });
});

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
