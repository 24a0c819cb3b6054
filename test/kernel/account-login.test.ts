/** What a disabled account is worth: real logins through PAM, and real processes. */
import { once } from 'node:events';
import { execa } from 'execa';
import { afterAll, afterEach, beforeEach, expect, test } from 'vitest';
import { createCarrier } from '../../agent/engine/carry-out.ts';
import { endSessions } from '../../agent/system/end-sessions.ts';
import type { Driver, Memory } from '../../platform/driver.ts';
import { account } from '../../platform/linux/account.ts';
import type { Step } from '../../platform/step.ts';
import { requires } from '../requirements.ts';
import {
  type AccountMachine,
  accountMachine,
  fingerprint,
  hash,
  password,
  users,
} from './account-machine.ts';

const before = fingerprint();
afterAll(() => expect(fingerprint(), 'this machine keeps its own accounts').toBe(before));

let machine: AccountMachine;
beforeEach(async () => {
  machine = await accountMachine();
});
afterEach(() => machine.close());

interface Started {
  readonly pid: number | undefined;
  /** The signal that ended it, if one did. */
  readonly ended: Promise<string | undefined>;
  isOver(): boolean;
  kill(): void;
}

/** Disables an account as the agent does, and hands back what takes it back. */
async function disable(name: string, settings = {}): Promise<() => Promise<unknown>> {
  const driver = account.make({ ...account.defaults, ...settings }) as Driver;
  let memory: Memory | undefined;
  const one = createCarrier(driver, machine.run, ([found]) => {
    memory = found?.memory;
  });
  const [target] = users([name]);
  if (target === undefined) throw new Error('no name');
  expect(await one.apply([{ target }])).toMatchObject([{ result: 'done' }]);
  return () => one.revert([{ target, memory }]);
}

requires(
  'root',
  'namespaces',
  'unshare',
  'usermod',
  'pamtester',
)('logins', () => {
  /** Asks PAM as a service does: sshd and login ask both, sshd with a key only the second. */
  const isLetIn = async (name: string, ...asks: string[]): Promise<boolean> => {
    const [tool = '', ...args] = machine.inside(['pamtester', 'ar-login', name, ...asks]);
    const { exitCode } = await execa(tool, args, { input: `${password}\n`, reject: false });
    return exitCode === 0;
  };
  const withPassword = (name: string) => isLetIn(name, 'authenticate', 'acct_mgmt');
  const withKey = (name: string) => isLetIn(name, 'acct_mgmt');

  test('are refused with a password and with a key, and possible again afterwards', async () => {
    machine.add('alice', { expire: '40000' });
    machine.add('bob');
    expect([await withPassword('alice'), await withKey('alice')]).toEqual([true, true]);
    const giveBack = await disable('alice');
    expect([await withPassword('alice'), await withKey('alice')]).toEqual([false, false]);
    expect(await isLetIn('alice', 'authenticate'), 'the password alone').toBe(false);
    expect([await withPassword('bob'), await withKey('bob')]).toEqual([true, true]);
    await giveBack();
    expect([await withPassword('alice'), await withKey('alice')]).toEqual([true, true]);
  });

  test('are refused with a password only, where the expiry is left alone', async () => {
    machine.add('alice');
    const giveBack = await disable('alice', { expire: 'no' });
    expect([await withPassword('alice'), await withKey('alice')]).toEqual([false, true]);
    await giveBack();
    expect([await withPassword('alice'), await withKey('alice')]).toEqual([true, true]);
  });

  test('without a password are refused, and possible again afterwards', async () => {
    machine.add('guest', { field: '' });
    expect(await withPassword('guest')).toBe(true);
    const giveBack = await disable('guest');
    expect([await withPassword('guest'), await isLetIn('guest', 'authenticate')]).toEqual([
      false,
      false,
    ]);
    await giveBack();
    expect(await withPassword('guest')).toBe(true);
  });

  test('stay refused where they were refused before', async () => {
    machine.add('former', { field: `!${hash}` });
    machine.add('left', { expire: '18262' });
    for (const name of ['former', 'left']) {
      expect(await withPassword(name)).toBe(false);
      await (await disable(name))();
      expect(await withPassword(name)).toBe(false);
    }
  });
});

requires(
  'root',
  'namespaces',
  'unshare',
  'usermod',
  'setpriv',
)('sessions', () => {
  let started: Started[] = [];
  afterEach(async () => {
    for (const one of started) one.kill();
    await Promise.all(started.map(({ ended }) => ended));
    started = [];
  });
  /** A process, once it runs as who it is to be. */
  const start = async (argv: readonly string[]): Promise<Started> => {
    const [tool = '', ...args] = argv;
    const child = execa(tool, args, { reject: false, stdin: 'pipe' });
    let isOver = false;
    const ended = child.then(({ signal }) => {
      isOver = true;
      return signal;
    });
    const one = { pid: child.pid, ended, isOver: () => isOver, kill: () => child.kill('SIGKILL') };
    started.push(one);
    await once(child.stdout, 'data');
    return one;
  };
  const runs = ['sh', '-c', 'trap "" TERM HUP; echo ready; read line'];
  const as = (uid: number, argv: readonly string[]) => [
    'setpriv',
    `--reuid=${uid}`,
    `--regid=${uid}`,
    '--clear-groups',
    ...argv,
  ];
  test('end with the account where that is asked for, and others go on', async () => {
    const alice = machine.add('alice');
    const bob = machine.add('bob');
    const hers = await start(as(alice, runs));
    const hidden = await start(as(alice, ['unshare', '--user', '--pid', '--fork', ...runs]));
    const his = await start(as(bob, runs));
    // A container of root's, in which the number belongs to somebody else.
    const contained = await start(['unshare', '--pid', '--fork', ...as(alice, runs)]);
    const asked: Step[] = [];
    const { run } = machine;
    machine = {
      ...machine,
      run: (step) => {
        asked.push(step);
        return run(step);
      },
    };
    const giveBack = await disable('alice', { endSessions: 'yes' });
    expect(await hers.ended).toBe('SIGKILL');
    await hidden.ended;
    expect([his, contained].map((one) => one.isOver())).toEqual([false, false]);
    const steps = asked.map(({ kind }) => kind);
    expect(steps.indexOf('end-sessions'), 'after the door is shut').toBeGreaterThan(
      steps.indexOf('change-account'),
    );
    await giveBack();
  });

  test('go on where it is not asked for', async () => {
    const alice = machine.add('alice');
    const hers = await start(as(alice, runs));
    await (await disable('alice'))();
    expect(hers.isOver()).toBe(false);
  });

  test('are put to logind first, as a whole', async () => {
    const asked: Step[] = [];
    const result = await endSessions({ kind: 'end-sessions', uid: 3_999_998 }, async (step) => {
      asked.push(step);
      return { failure: 'missing', stdout: '', stderr: '' };
    });
    expect(result).toEqual({ stdout: '', stderr: '' });
    expect(asked).toMatchObject([{ tool: 'loginctl', args: ['terminate-user', '3999998'] }]);
  });

  test('that do not end are remarked, and the account is disabled all the same', async () => {
    const alice = machine.add('alice');
    const hers = await start(as(alice, runs));
    const step = { kind: 'end-sessions', uid: alice } as const;
    // No time to end anything.
    const result = await endSessions(step, machine.run, -1);
    expect(result).toEqual({
      stdout: '',
      stderr: '',
      remark: `its sessions did not end: processes ${hers.pid} still run`,
    });
    const { run } = machine;
    machine = {
      ...machine,
      run: (one) => (one.kind === 'end-sessions' ? endSessions(one, run, -1) : run(one)),
    };
    const driver = account.make({ ...account.defaults, endSessions: 'yes' }) as Driver;
    const [target] = users(['alice']);
    const one = createCarrier(driver, machine.run);
    expect(await one.apply(target === undefined ? [] : [{ target }])).toMatchObject([
      { result: 'done', why: expect.stringContaining('sessions did not end') },
    ]);
    expect(machine.line('alice')).toMatchObject({ field: `!${hash}`, expire: '1' });
  });

  test.each([...new Set([0, process.geteuid?.() ?? 0])])(
    'of number %i are never ended',
    async (uid) => {
      const asked: Step[] = [];
      const result = await endSessions({ kind: 'end-sessions', uid }, async (step) => {
        asked.push(step);
        return { stdout: '', stderr: '' };
      });
      expect(result.failure).toBe('exit');
      expect(asked).toEqual([]);
    },
  );
});
