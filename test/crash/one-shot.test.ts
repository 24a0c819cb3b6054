/**
 * The agent is killed at every step of doing something that nothing takes back, and started again: what
 * may be done twice is done in the end, what may not is never done twice, and the journal says which.
 */
import { chmod, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { routeNull } from '../../platform/linux/route-null.ts';
import { requires } from '../requirements.ts';
import { createEndpoint, type Death, type Endpoint } from './endpoint.ts';
import type { Facility } from './facilities.ts';
import { type Moment, moments } from './moments.ts';

const add = { command: 'add', response: 'restart-wazuh' };
const unrepeatable = '--unrepeatable';
/** How long it may take until nothing more is to be done. */
const patienceMs = 60_000;
/** The step that acts, and no other, has these words. */
const acting = ['--acting', '["restart"]'];
const doomed = (at: Moment, more: readonly string[] = [], after = 0): Death => ({
  during: 'add',
  at,
  target: '',
  after,
  more: [...acting, ...more],
});

/** How often the tool was begun, all agents together, and how the journal has it in the end. */
type End = readonly [number, string | undefined];

const repeatableEnds: Record<Exclude<Moment, 'after-look'>, End> = {
  'before-intent': [0, undefined],
  'after-intent': [1, 'done'],
  'before-tool': [1, 'done'],
  'tool-begins': [2, 'done'],
  'after-tool': [2, 'done'],
  'before-outcome': [2, 'done'],
  'after-outcome': [1, 'done'],
};
const unrepeatableEnds: typeof repeatableEnds = {
  'before-intent': [0, undefined],
  'after-intent': [0, 'failed'],
  'before-tool': [0, 'failed'],
  'tool-begins': [1, 'failed'],
  'after-tool': [1, 'failed'],
  'before-outcome': [1, 'failed'],
  'after-outcome': [1, 'done'],
};

requires(
  'root',
  'namespaces',
  'ip',
)('a one-shot', () => {
  describe.concurrent('whose agent is killed', { timeout: 240_000 }, () => {
    test.each(moments)('%s, is done in the end where it may be done twice', async (moment) => {
      await tried(async (machine) => {
        await machine.endpoint.startDoomed(doomed(moment));
        expect(await machine.endpoint.ask(add)).toBeUndefined();
        await machine.endpoint.death();
        await machine.endpoint.calm();
        await machine.endpoint.start();
        await machine.comesTo(repeatableEnds[moment as keyof typeof repeatableEnds]);
      });
    });

    test.each(moments)('%s, is never done twice where it may not be', async (moment) => {
      await tried(async (machine) => {
        await machine.endpoint.startDoomed(doomed(moment, [unrepeatable]));
        expect(await machine.endpoint.ask(add)).toBeUndefined();
        await machine.endpoint.death();
        await machine.endpoint.calm();
        // It dies no more: there is nothing that it is going to add.
        await machine.endpoint.startDoomed(doomed('before-intent', [unrepeatable], 1));
        await machine.comesTo(unrepeatableEnds[moment as keyof typeof unrepeatableEnds]);
      });
    });

    test.each<[Moment, End]>([
      ['before-tool', [1, 'done']],
      ['tool-begins', [2, 'done']],
      ['after-tool', [2, 'done']],
      ['before-outcome', [1, 'done']],
    ])('again while it recovers, %s, is done in the end', async (moment, end) => {
      await tried(async (machine) => {
        await machine.endpoint.startDoomed(doomed('after-intent'));
        await machine.endpoint.ask(add);
        await machine.endpoint.death();
        await machine.endpoint.startDoomed({ ...doomed(moment), during: 'recovery' });
        await machine.endpoint.death();
        await machine.endpoint.calm();
        await machine.endpoint.start();
        await machine.comesTo(end);
      });
    });

    test.each([
      ['may', []],
      ['may not', [unrepeatable]],
    ])(
      'while it waits for its next try, is tried again, if it %s be done twice',
      async (_, more) => {
        await tried(async (machine) => {
          await writeFile(machine.broken, '');
          await machine.endpoint.startDoomed(doomed('after-outcome', more));
          expect(await machine.endpoint.ask(add)).toMatchObject({ ok: true, state: 'intended' });
          await machine.endpoint.kill();
          const begun = await machine.begun();
          expect(begun).toBeGreaterThan(0);
          await rm(machine.broken);
          await machine.endpoint.startDoomed(doomed('before-intent', more, 1));
          await machine.comesTo([begun + 1, 'done']);
        });
      },
    );
  });
});

interface OneShotMachine {
  readonly endpoint: Endpoint;
  /** As long as this file is there, the tool fails. */
  readonly broken: string;
  begun(): Promise<number>;
  /** What stands in the journal, and stays so when the agent is started once more. */
  comesTo(end: End): Promise<void>;
}

/** A machine whose manager's agent counts how often it is restarted. */
async function tried(scenario: (machine: OneShotMachine) => Promise<void>): Promise<void> {
  let home = '';
  const facility: Facility = {
    name: 'restart-agent',
    needs: [],
    response: 'restart-wazuh',
    kind: routeNull,
    settings: () => routeNull.defaults,
    config: '',
    plant: async (_, folder) => {
      home = join(folder, 'ossec');
      await mkdir(join(home, 'bin'), { recursive: true });
      const control = join(home, 'bin', 'wazuh-control');
      const lines = [
        `echo begun >> ${home}/calls`,
        `[ ! -e ${home}/broken ] || exit 1`,
        'sleep 0.2',
        `echo ended >> ${home}/calls`,
      ];
      await writeFile(control, ['#!/bin/sh', ...lines, ''].join('\n'));
      await chmod(control, 0o750);
    },
    dump: async () => '',
    foreign: (dump) => dump,
  };
  const endpoint = await createEndpoint(facility);
  const words = async (word: string): Promise<number> => {
    const text = await readFile(join(home, 'calls'), 'utf8').catch(() => '');
    return text.split('\n').filter((line) => line === word).length;
  };
  const states = () => endpoint.journal().map(({ state }) => state);
  const isSettled = (): boolean => states().every((state) => /^(done|failed)$/.test(state));
  const machine: OneShotMachine = {
    endpoint,
    broken: join(home, 'broken'),
    begun: () => words('begun'),
    comesTo: async ([begun, state]) => {
      const counts = async () => [await words('begun'), (await endpoint.list()).length];
      const until = performance.now() + patienceMs;
      const isOver = async () => String(await counts()) === String([begun, 0]);
      while (!(await isOver()) && performance.now() < until) await pause(50);
      expect(await counts()).toEqual([begun, 0]);
      await endpoint.stop();
      expect(states()).toEqual(state === undefined ? [] : [state]);
      expect(isSettled()).toBe(true);
      await endpoint.start();
      expect(await endpoint.list()).toEqual([]);
      await endpoint.stop();
      expect(await words('begun'), 'it is over').toBe(begun);
      expect(states()).toEqual(state === undefined ? [] : [state]);
    },
  };
  try {
    await scenario(machine);
  } finally {
    await endpoint.close();
  }
}
