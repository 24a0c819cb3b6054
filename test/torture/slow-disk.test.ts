/**
 * A disk that takes seconds to have something written (strace holds every fsync of the agent up). Nothing is
 * done before its intent is on it, nothing is called done before the outcome is; nobody's request is
 * lost, whoever asks for the status meanwhile is answered, the memory stays bounded, and the service
 * manager hears in time that the agent is well.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { execa } from 'execa';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Machine } from '../contract/driver-contract.ts';
import { createEndpoint, type Endpoint } from '../crash/endpoint.ts';
import { type Facility, facilities } from '../crash/facilities.ts';
import { requires } from '../requirements.ts';
import { amount, keepFigures, patienceMs } from './course.ts';

const syncMs = amount(500, 4_000);
/** The unit gives a minute (WatchdogSec), which is as much for a disk that takes four seconds. */
const watchdogMs = 15 * syncMs + 2_000;
const each = amount(200, 2_000);
const responses = ['firewall-drop', 'ip-customblock', 'host-deny'];
const mostMemoryMiB = 250;
const nftables = facilities.find(({ name }) => name === 'nftables') as Facility;

const slowly = [
  ...['strace', '-f', '--seccomp-bpf', '-qq', '-o', '/dev/null'],
  ...['-e', 'trace=fsync,fdatasync', '-e', `inject=fsync,fdatasync:delay_enter=${syncMs * 1_000}`],
];

requires(
  'root',
  'namespaces',
  'ip',
  'strace',
  'socat',
  ...nftables.needs,
)('an agent on a slow disk', () => {
  let endpoint: Endpoint;
  let machine: Machine;
  let folder: string;
  let isSlow: boolean;
  /** When the service manager heard from it. */
  let signs: number[];
  let manager: ReturnType<typeof listen> | undefined;

  const listen = (path: string) => {
    const child = execa('socat', ['-u', `UNIX-RECV:${path}`, 'STDOUT'], {
      reject: false,
      buffer: false,
      stdin: 'ignore',
    });
    child.stdout.on('data', (chunk: Buffer) => {
      if (String(chunk).includes('WATCHDOG=1')) signs.push(performance.now());
    });
    return child;
  };

  beforeEach(async () => {
    isSlow = true;
    signs = [];
    endpoint = await createEndpoint({
      ...nftables,
      plant: async (planted, at) => {
        machine = planted;
        folder = at;
        await nftables.plant(planted, at);
        manager = listen(join(at, 'notify'));
      },
      inside: (at) => ({
        command: (argv) => {
          const told = [
            `NOTIFY_SOCKET=${join(at, 'notify')}`,
            `WATCHDOG_USEC=${watchdogMs * 1_000}`,
          ];
          return ['env', ...told, ...(isSlow ? slowly : []), ...argv];
        },
        // The machine is looked at from outside here.
        run: async () => ({ failure: 'io', stdout: '', stderr: '' }),
      }),
    });
  });
  afterEach(async () => {
    await endpoint.close();
    manager?.kill('SIGKILL');
    await manager;
  });

  const pidOf = async (): Promise<number> => {
    const { pid } = (await endpoint.ask({ command: 'status' })) as unknown as { pid: number };
    return pid;
  };
  const memoryMiB = async (pid: number): Promise<number> => {
    const text = await readFile(`/proc/${pid}/status`, 'utf8');
    return Number(/^RssAnon:\s+(\d+) kB$/m.exec(text)?.[1]) / 1_024;
  };
  const stands = async (address: string): Promise<boolean> =>
    (await machine.exec(['nft', 'list', 'table', 'inet', 'ar-exec']).catch(() => '')).includes(
      address,
    );

  test('answers honestly, and loses nothing', {
    timeout: patienceMs('slow-disk', 400_000),
  }, async () => {
    await endpoint.start();
    const pid = await pidOf();
    const memoryBefore = await memoryMiB(pid);

    const askedAt = performance.now();
    let answeredMs: number | undefined;
    let stoodMs: number | undefined;
    const first = endpoint
      .ask({ command: 'add', response: 'firewall-drop', srcip: '203.0.113.99' })
      .then((reply) => {
        answeredMs = performance.now() - askedAt;
        return reply;
      });
    while (stoodMs === undefined) {
      if (await stands('203.0.113.99')) stoodMs = performance.now() - askedAt;
      else if (answeredMs !== undefined) break;
    }
    expect(await first).toMatchObject({ ok: true });
    // The intent was on the disk before the kernel heard of it, and the outcome before anybody else did.
    expect(stoodMs).toBeGreaterThanOrEqual(syncMs);
    expect(answeredMs).toBeGreaterThanOrEqual(2 * syncMs);

    const asked = responses.flatMap((response, place) =>
      Array.from({ length: each }, (_, host) => ({
        command: 'add',
        response,
        srcip: `198.18.${place * 32 + (host >> 8)}.${host & 255}`,
      })),
    );
    let over = false;
    let largestMiB = 0;
    const waits: number[] = [];
    const curious = (async () => {
      while (!over) {
        const before = performance.now();
        expect(await endpoint.ask({ command: 'status' })).toMatchObject({ ok: true });
        waits.push(performance.now() - before);
        largestMiB = Math.max(largestMiB, await memoryMiB(pid));
        await pause(50);
      }
    })();
    const replies = await endpoint.askAll(asked);
    await expect.poll(() => signs.length, { timeout: 120_000 }).toBeGreaterThan(1);
    over = true;
    process.kill(pid, 'SIGKILL');
    await curious.catch((error: unknown) => {
      // The last of them can have been asked when the agent was gone.
      if (waits.length === 0) throw error;
    });
    await endpoint.kill();

    expect(replies.size).toBe(asked.length);
    expect([...replies.values()].filter(({ ok }) => !ok)).toEqual([]);
    const longestWaitMs = Math.round(Math.max(...waits));
    await keepFigures('slow-disk', {
      syncMs,
      requests: asked.length,
      stoodMs: Math.round(stoodMs ?? 0),
      answeredMs: Math.round(answeredMs ?? 0),
      statusAnswers: waits.length,
      longestStatusMs: longestWaitMs,
      memoryMiB: Math.round(largestMiB - memoryBefore),
      longestSilenceMs: Math.round(longestGap(signs)),
    });
    // Whoever asks waits for what is being written at the time, of each of those at work once or twice.
    expect(waits.length).toBeGreaterThan(2);
    expect(longestWaitMs).toBeLessThan(15 * syncMs + 15_000);
    expect(largestMiB - memoryBefore).toBeLessThan(mostMemoryMiB);
    expect(longestGap(signs)).toBeLessThan(watchdogMs);

    isSlow = false;
    await endpoint.start();
    const listed = (await endpoint.list()).map(({ response, target }) => `${response} ${target}`);
    const promised = asked.map(({ response, srcip }) => `${response} ${srcip}`);
    promised.push('firewall-drop 203.0.113.99');
    expect(listed.sort()).toEqual(promised.sort());
    const elements = await machine.exec(['nft', 'list', 'table', 'inet', 'ar-exec']);
    for (let host = 0; host < each; host += 1) {
      expect(elements).toContain(`198.18.${host >> 8}.${host & 255}`);
    }
    expect((await readFile(join(folder, 'hosts.deny'), 'utf8')).match(/198\.18\./g)).toHaveLength(
      each,
    );
  });
});

function longestGap(times: readonly number[]): number {
  return times.reduce((longest, at, index) => Math.max(longest, at - (times[index - 1] ?? at)), 0);
}
