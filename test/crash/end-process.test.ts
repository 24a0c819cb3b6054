/**
 * The agent is killed while it ends a process, and started again: the process has ended, and the
 * journal says that it was done, whoever of the two agents did it.
 */
import { readlink } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { execa } from 'execa';
import { describe, expect, test } from 'vitest';
import { routeNull } from '../../platform/linux/route-null.ts';
import { requires } from '../requirements.ts';
import { createEndpoint } from './endpoint.ts';
import { moments } from './moments.ts';

const sleep = '/usr/bin/sleep';
const facility = {
  name: 'processes',
  needs: [],
  response: 'kill-process',
  // The endpoint wants a driver; nobody asks for it.
  kind: routeNull,
  settings: () => routeNull.defaults,
  config: '',
  plant: async () => {},
  dump: async () => '',
  foreign: (dump: string) => dump,
} as const;

requires(
  'root',
  'namespaces',
  'ip',
)('a process', () => {
  describe.concurrent('whose end the agent dies at', { timeout: 240_000 }, () => {
    test.each(moments)('%s', async (at) => {
      const [victim, bystander] = [start(), start()];
      const endpoint = await createEndpoint(facility);
      try {
        await Promise.all([victim, bystander].map(({ pid }) => isReady(pid)));
        const target = `${victim.pid} ${sleep}`;
        const ask = {
          command: 'add',
          response: 'kill-process',
          pid: victim.pid,
          executable: sleep,
        };
        const more = ['--acting', '"end-process"'];
        await endpoint.startDoomed({ during: 'add', at, target, more });
        expect(await endpoint.ask(ask)).toBeUndefined();
        await endpoint.death();
        await endpoint.start();
        const history = async () => {
          const reply = await endpoint.ask({ command: 'list', history: true });
          return reply?.actions?.map(({ target, state }) => ({ target, state })) ?? [];
        };
        if (at === 'before-intent') {
          expect(await history()).toEqual([]);
          expect(await readlink(`/proc/${victim.pid}/exe`)).toBe(sleep);
          expect(await endpoint.ask(ask)).toMatchObject({ ok: true });
        }
        await until(async () => (await history()).length > 0);
        expect(await history()).toEqual([{ target, state: 'done' }]);
        expect((await victim).signal).toBe('SIGKILL');
        expect(await readlink(`/proc/${bystander.pid}/exe`)).toBe(sleep);
      } finally {
        for (const one of [victim, bystander]) one.kill('SIGKILL');
        await endpoint.close();
      }
    });
  });
});

const start = () => execa(sleep, ['1000'], { reject: false });

const isReady = (pid: number | undefined): Promise<void> =>
  until(async () => (await readlink(`/proc/${pid}/exe`).catch(() => '')) === sleep);

async function until(isTrue: () => Promise<boolean>): Promise<void> {
  while (!(await isTrue())) await pause(10);
}
