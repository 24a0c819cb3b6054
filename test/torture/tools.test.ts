/**
 * Tools at fault, by chance: all that drivers of Linux run, firewalld, and the lock of iptables, several
 * at a time and in any way, while requests come for everything. Each is answered honestly and in bounded
 * time; once the tools work, journal and machine agree; at the end the machine is as it was.
 */
import { dirname } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { execa } from 'execa';
import { expect, test } from 'vitest';
import { createEndpoint, type Reply } from '../crash/endpoint.ts';
import { firewalldHosts } from '../crash/facilities.ts';
import { createFaultyTools, type Fault, type FaultyTools } from '../e2e/faulty-tools.ts';
import { requires } from '../requirements.ts';
import { agree, draw, everythingEnds, messageOf, openLine } from './agreement.ts';
import { amount, createChance, isLong, keepFigures, patienceMs, shareMs } from './course.ts';
import { createEverything, fields, manners } from './everything.ts';
import { createLedger } from './ledger.ts';

const xtables = ['iptables', 'ip6tables'].flatMap((name) =>
  ['nft', 'legacy'].flatMap((variant) =>
    ['', '-save', '-restore'].map((job) => `${name}-${variant}${job}`),
  ),
);
const tools = ['nft', 'ipset', 'ip', 'usermod', ...xtables];
/** Several things that go wrong together: each has its own tools. */
const groups = [['nft'], ['ipset'], ['ip'], ['usermod'], xtables];
const faults: readonly (Fault | 'missing')[] = [
  'fails',
  'killed',
  'killed-after',
  'hangs',
  'slow',
  'now-and-then',
  'complains',
  'missing',
];
const limitSeconds = 3;
/** Some rounds behind each other, of what waits in a lane: two batches, and for each the work and a look. */
const longestAnswerMs = 40 * limitSeconds * 1_000;
const roundsOfLife = 6;
const wantedRounds = amount(2, 100_000);
/** No error of the agent itself, and nothing that was not written down. */
const dishonest = ['internal', 'journal-failed', 'limit-pending'];

const everything = createEverything();
const { facility } = everything;

requires(
  'root',
  'namespaces',
  'ip',
  ...facility.needs,
)('tools at fault at random', () => {
  test('are answered honestly, and leave nothing', {
    timeout: patienceMs('tools', 600_000),
  }, async () => {
    const chance = createChance('tools');
    const ledger = createLedger();
    const counts = { rounds: 0, asked: 0, refused: 0, compared: 0, longestAnswerMs: 0 };
    const kinds: Record<string, number> = {};
    const faulty = await createFaultyTools(tools);
    const endpoint = await createEndpoint({
      ...facility,
      inside: (folder) => ({
        run: async () => ({ failure: 'io', stdout: '', stderr: 'asked of each facility' }),
        command: (argv) => facility.inside?.(folder).command([...faulty.before, ...argv]) ?? argv,
      }),
    });
    const began = performance.now();
    const timeIsOver = () => isLong && performance.now() - began > shareMs('tools');
    const limit = `<tool_time_limit>${limitSeconds}s</tool_time_limit>`;
    const reload = async (settings: string): Promise<void> => {
      await everything.configure(settings);
      expect(await endpoint.ask({ command: 'reload' })).toMatchObject({ ok: true });
    };
    try {
      const planted = await endpoint.dump();
      while (counts.rounds < wantedRounds && !timeIsOver()) {
        const manner = chance.one(manners);
        await everything.configure(manner);
        await endpoint.start();
        counts.compared += await agree(endpoint, everything);
        for (let round = 0; round < roundsOfLife && counts.rounds < wantedRounds; round += 1) {
          if (timeIsOver()) break;
          await reload(`${manner}${limit}`);
          const mend = await breakSome(faulty);
          await ask();
          await mend();
          // Tools that work have all the time that they need, however busy the machine is.
          await reload(manner);
          counts.rounds += 1;
          counts.compared += await agree(endpoint, everything, 180_000);
          expect(ledger.broken(await endpoint.list(), Date.now())).toEqual([]);
        }
        expect(facility.foreign(await endpoint.dump())).toBe(facility.foreign(planted));
        if (isLong) process.stdout.write(`tools: ${counts.rounds} rounds\n`);
        await endpoint.stop();
      }
      await everything.configure(manners[0] ?? '');
      await endpoint.start();
      await everythingEnds(endpoint);
      await endpoint.stop();
      expect(await endpoint.dump()).toBe(planted);
      expect([...(await everything.standing()).keys()]).toEqual([]);
    } finally {
      await keepFigures('tools', {
        ...counts,
        longestAnswerMs: Math.round(counts.longestAnswerMs),
        kinds,
        promises: ledger.promises(),
        minutes: Math.round((performance.now() - began) / 6_000) / 10,
      });
      await faulty.mend();
      await endpoint.close();
      await faulty.remove();
    }

    /** Returns what ends it. */
    async function breakSome(tried: FaultyTools): Promise<() => Promise<void>> {
      const ends: (() => Promise<unknown> | unknown)[] = [() => tried.mend()];
      const count = (what: string): void => {
        kinds[what] = (kinds[what] ?? 0) + 1;
      };
      for (const group of chance.shuffled(groups).slice(0, 1 + chance.below(groups.length))) {
        const fault = chance.one(faults);
        count(fault);
        if (fault === 'missing') await tried.takeAway(group);
        else await tried.set(fault, group);
      }
      if (chance.below(3) === 0) {
        count('firewalld hangs');
        const pid = firewalldHosts.get(dirname(everything.socket()))?.pid() ?? 0;
        process.kill(pid, 'SIGSTOP');
        ends.push(() => process.kill(pid, 'SIGCONT'));
      }
      if (chance.below(4) === 0) {
        count('lock of iptables');
        const says = ['sh', '-c', 'echo held; exec sleep 1000'];
        const holder = execa('flock', ['--no-fork', tried.xtablesLock, ...says], {
          reject: false,
          buffer: false,
        });
        await new Promise<void>((resolve) => {
          holder.stdout.on('data', () => resolve());
        });
        ends.push(async () => {
          holder.kill('SIGKILL');
          await holder;
        });
      }
      return async () => {
        for (const end of ends) await end();
      };
    }

    /** Some requests for everything, and waits until all are answered. */
    async function ask(): Promise<void> {
      const peers = fields.map(() => openLine(everything.socket()));
      const answers: Promise<void>[] = [];
      for (let left = amount(20, 40); left > 0; left -= 1) {
        const { place, ...request } = draw(chance);
        const answered = ledger.asked(request);
        counts.asked += 1;
        const askedAt = performance.now();
        const { promise, resolve } = Promise.withResolvers<Reply>();
        peers[place]?.ask(messageOf(request), resolve);
        answers.push(
          promise.then((reply) => {
            answered(reply);
            counts.longestAnswerMs = Math.max(counts.longestAnswerMs, performance.now() - askedAt);
            if (!reply.ok) counts.refused += 1;
            expect(dishonest).not.toContain(reply.code);
          }),
        );
        await pause(chance.below(40));
      }
      await Promise.all(answers);
      expect(counts.longestAnswerMs).toBeLessThan(longestAnswerMs);
      for (const peer of peers) peer.close();
    }
  });
});
