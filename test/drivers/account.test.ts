import { describe, expect, test } from 'vitest';
import { stepText } from '../../agent/cli/steps.ts';
import { readAccounts } from '../../agent/system/change-account.ts';
import type { Memory } from '../../platform/driver.ts';
import { account } from '../../platform/linux/account.ts';
import type { Account, Accounts, StepResult } from '../../platform/step.ts';
import type { UserTarget } from '../../platform/target.ts';
import { failed, said } from './show.ts';

const driver = account.make(account.defaults);
const alice: UserTarget = { kind: 'user', text: 'alice' };
const planned = (steps: readonly Parameters<typeof stepText>[0][]) =>
  steps.map(stepText).join('\n');
const oneAccount: Account = {
  name: 'alice',
  uid: 1001,
  gid: 1001,
  password: 'open',
  expire: '',
};
const answer = (...accounts: Partial<Account>[]): StepResult =>
  said(
    JSON.stringify({
      agent: 900,
      accounts: accounts.map((one) => ({ ...oneAccount, ...one })),
    } satisfies Accounts),
  );

describe('the plan', () => {
  const memory = { uid: '1001', password: 'open', expire: '20000' };

  test('is one step for an account, and looks before it acts', () => {
    expect(driver.apply([{ target: alice, memory }])).toEqual([
      {
        kind: 'change-account',
        user: 'alice',
        uid: 1001,
        change: { to: 'disabled', expire: true },
      },
    ]);
    expect(planned(driver.apply([{ target: alice, memory }]))).toBe(
      '# if alice is still number 1001, what of this is not so yet:\nusermod -L -e 1 -- alice',
    );
  });

  test('leaves the expiry alone, or ends sessions, where the settings say so', () => {
    const other = account.make({ ...account.defaults, expire: 'no', endSessions: 'yes' });
    expect(planned(other.apply([{ target: alice, memory }]))).toBe(
      [
        '# if alice is still number 1001, what of this is not so yet:',
        'usermod -L -- alice',
        'loginctl terminate-user 1001  # and, whether that did or not:',
        'pkill -KILL -U 1001  # outside of containers',
      ].join('\n'),
    );
  });

  test.each<[Memory, string]>([
    [memory, 'usermod -U -e 20000 -- alice'],
    [{ ...memory, expire: '' }, "usermod -U -e '' -- alice"],
    [{ ...memory, password: 'locked' }, 'usermod -e 20000 -- alice'],
    [{ ...memory, password: 'none' }, 'passwd -d -- alice\nusermod -e 20000 -- alice'],
    [{ uid: '1001', password: 'open' }, 'usermod -U -- alice'],
    [{ uid: '1001', password: 'none' }, 'passwd -d -- alice'],
  ])('gives back what is remembered, whatever the settings are now: %j', (remembered, lines) => {
    for (const expire of ['yes', 'no']) {
      const now = account.make({ ...account.defaults, expire });
      expect(planned(now.revert([{ target: alice, memory: remembered }]))).toBe(
        `# if alice is still number 1001, what of this is still ours:\n${lines}`,
      );
    }
  });

  test('acts on nobody without a memory, and unlocks nothing that it does not know', () => {
    expect(driver.apply([{ target: alice }])).toMatchObject([{ uid: -1 }]);
    expect(driver.revert([{ target: alice }])).toMatchObject([
      { uid: -1, change: { to: 'former', password: 'locked' } },
    ]);
    expect(
      driver.revert([{ target: alice, memory: { uid: '1001', password: 'whatever' } }]),
    ).toMatchObject([{ change: { password: 'locked' } }]);
  });
});

describe('what is found', () => {
  const locked = { password: 'locked', expire: '1' } as const;

  test('are those that are disabled as a whole', () => {
    const all = answer(
      { name: 'both', ...locked },
      { name: 'expired', expire: '1' },
      { name: 'locked', password: 'locked' },
      { name: 'past', password: 'locked', expire: '18262' },
      { name: 'none', password: 'none', expire: '1' },
    );
    const texts = (expire: string) => {
      const reading = account.make({ ...account.defaults, expire }).inspect.read([all]);
      return reading.known ? reading.effects.map(({ target }) => target.text) : reading.why;
    };
    expect(texts('yes')).toEqual(['both']);
    expect(texts('no')).toEqual(['both', 'locked', 'past']);
  });

  test('is unknown where it cannot be understood', () => {
    for (const odd of ['', '[]', '{"accounts":[]}', '{"agent":0}', '{"agent":0,"accounts":{}}']) {
      expect(driver.inspect.read([said(odd)])).toMatchObject({ known: false });
      expect(driver.examine?.(alice, {}).read([said(odd), said('')])).toMatchObject({
        fit: 'unknown',
      });
    }
    expect(driver.inspect.read([failed('/etc/shadow: EACCES')])).toEqual({
      known: false,
      why: '/etc/shadow: EACCES',
    });
  });

  test('is remembered without a hash', () => {
    const read = driver.examine?.(alice, {}).read;
    expect(read?.([answer({ expire: '20000' }), said('')])).toEqual({
      fit: true,
      memory: { uid: '1001', password: 'open', expire: '20000' },
      preExisting: false,
    });
    expect(read?.([answer(locked), said('')])).toMatchObject({ preExisting: true });
  });
});

test('the accounts are read without their hashes', async () => {
  const files: Record<string, string> = {
    '/etc/passwd': 'root:x:0:0:root:/root:/bin/sh\nalice:x:1001:1001:A,,,:/home/alice:/bin/sh\n',
    '/etc/shadow': 'root:$6$root$geheim:19000:0:99999:7:::\nalice:!$y$j9T$geheim:19000::::::\n',
  };
  const result = await readAccounts(async (step) =>
    said(step.kind === 'read-file' ? (files[step.path] ?? '') : ''),
  );
  expect(result.stdout).not.toMatch(/geheim|\$/);
  expect(JSON.parse(result.stdout)).toEqual({
    agent: process.geteuid?.(),
    accounts: [
      { name: 'root', uid: 0, gid: 0, password: 'open', expire: '' },
      { name: 'alice', uid: 1001, gid: 1001, password: 'locked', expire: '' },
    ],
  });
});

test('an empty shadow is not taken for one without accounts', async () => {
  await expect(readAccounts(async () => said(''))).rejects.toThrow('/etc/passwd');
});

test('the probe says what is in the way', () => {
  const fine = [answer({}), said(''), said('')];
  expect(driver.probe.read(fine)).toEqual({
    usable: true,
    why: 'usermod, password and expiry',
    families: [],
  });
  const missing: StepResult = { failure: 'missing', stdout: '', stderr: 'not there' };
  for (const [index, result, why] of [
    [0, failed('/etc/shadow: EACCES'), '/etc/shadow: EACCES'],
    [1, missing, 'usermod is not installed'],
    [2, failed(), '/etc can not be written to'],
  ] as const) {
    expect(driver.probe.read(fine.with(index, result))).toMatchObject({ usable: false, why });
  }
});
