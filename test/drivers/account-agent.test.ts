/** The agent's own work on the BSDs and macOS, from a request to the journal, with accounts. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Composed } from '../../agent/compose.ts';
import type { Request } from '../../agent/words.ts';
import type { System } from '../../platform/system.ts';
import {
  type BsdAccounts,
  bsdAccounts,
  type MacAccounts,
  macAccounts,
} from '../sim/account-machine.ts';
import { askSimAgent, startSimAgent, stopSimAgent } from '../sim/agent.ts';
import type { SimSystem } from '../sim/simulator.ts';

const systems = [
  ['freebsd13', 'freebsd', 'pw, password and expiry'],
  ['freebsd15', 'freebsd', 'pw, password and expiry'],
  ['dragonfly6', 'dragonfly', 'pw, password and expiry'],
  ['netbsd10', 'netbsd', 'usermod -C, password and expiry'],
  ['openbsd76', 'openbsd', 'usermod -Z, password and shell'],
  ['macos14', 'darwin', 'pwpolicy'],
] as const satisfies (readonly [SimSystem, System, string])[];

/** The state of alice, as far as it is any tool's business. */
const bsd = ({ entry }: BsdAccounts) => {
  const { password, expire, shell } = entry('alice') ?? {};
  return JSON.stringify({ password, expire, shell });
};
const mac = ({ directory }: MacAccounts) => `disabled: ${directory.disabled?.includes('alice')}`;

describe.each(systems)('on %s', (simulated, system, how) => {
  const driver = system === 'darwin' ? 'account-macos' : 'account-bsd';
  let machine: BsdAccounts | MacAccounts;
  let state: string;
  let agent: Composed;
  let before: string;

  const alice = () => ('entry' in machine ? bsd(machine) : mac(machine));
  const start = async (settings = ''): Promise<void> => {
    agent = await startSimAgent({ system, state, run: machine.run, settings });
  };
  const stop = () => stopSimAgent(agent);
  const ask = (verb: Request['verb'], user: string) =>
    askSimAgent(agent, { verb, response: 'disable-account', user });

  beforeEach(async () => {
    machine = system === 'darwin' ? macAccounts() : bsdAccounts(simulated);
    machine.add('alice');
    before = alice();
    state = await mkdtemp(join(tmpdir(), 'ar-exec-accounts-'));
    await start();
  });
  afterEach(async () => {
    await stop();
    await rm(state, { recursive: true });
  });

  test('an account is disabled, stays so through a restart, and is given back', async () => {
    expect(agent.settled().chosen.get('disable-account')?.why).toBe(
      `disable-account: ${driver}=yes (${how}) -> ${driver}`,
    );
    expect(await ask('add', 'alice')).toMatchObject({
      action: { instance: { driver, settings: system === 'darwin' ? {} : { system } } },
    });
    const disabled = alice();
    expect(disabled).not.toBe(before);
    await stop();
    // What is held is given back as it was made, whatever the configuration says by then.
    await start('<disable_account><expire>no</expire></disable_account>');
    expect(alice()).toBe(disabled);
    await ask('delete', 'alice');
    expect(alice()).toBe(before);
  });

  test('what somebody undoes is done again, and given back all the same', async () => {
    await ask('add', 'alice');
    const disabled = alice();
    await stop();
    if ('entry' in machine) {
      const undo = {
        openbsd: ['usermod', '-U', 'alice'],
        netbsd: ['usermod', '-C', 'no', 'alice'],
      };
      const argv = undo[system as keyof typeof undo] ?? ['pw', 'unlock', 'alice'];
      await machine.exec(argv);
    } else machine.directory.disabled = [];
    expect(alice()).not.toBe(disabled);
    await start();
    expect(alice()).toBe(disabled);
    await ask('delete', 'alice');
    expect(alice()).toBe(before);
  });

  test('root is refused, and whoever the configuration names', async () => {
    await expect(ask('add', 'root')).rejects.toMatchObject({ code: 'target-protected' });
    await expect(ask('add', 'mallory')).rejects.toMatchObject({ code: 'target-absent' });
    await stop();
    await start('<never_disable>alice</never_disable>');
    await expect(ask('add', 'alice')).rejects.toMatchObject({ code: 'target-protected' });
    expect(alice()).toBe(before);
  });

  test('a journal that is new takes nobody for its own', async () => {
    await ask('add', 'alice');
    const disabled = alice();
    await stop();
    await rm(state, { recursive: true });
    state = await mkdtemp(join(tmpdir(), 'ar-exec-accounts-'));
    await start();
    expect(agent.journal.list('live', 10)).toEqual([]);
    expect(await ask('add', 'alice')).toMatchObject({ action: { preExisting: true } });
    await ask('delete', 'alice');
    expect(alice()).toBe(disabled);
  });
});
