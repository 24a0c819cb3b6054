import { beforeEach, expect, it } from 'vitest';
import { ArError } from '../../agent/errors.ts';
import type { ArConf } from '../../agent/execd/ar-conf.ts';
import { createMessages } from '../../agent/execd/messages.ts';
import { createRestartLock } from '../../agent/execd/restart-lock.ts';
import type { ManagerQueue } from '../../agent/intake/datagram.ts';
import type { Log } from '../../agent/observe/log.ts';
import { type ArConfLine, createCommands } from '../../agent/policy/commands.ts';
import { findResponse } from '../../agent/policy/responses.ts';
import type { Request } from '../../agent/words.ts';

let accepted: Request[];
let told: string[];
let refreshed: boolean[];
let lines: Map<string, ArConfLine>;
let absent: Map<string, readonly string[]>;
let there: boolean;
let disabled: boolean;
let failure: ArError | undefined;
/** What `ar.conf` says once it is read again. */
let onRefresh: () => void;
const lock = createRestartLock();

beforeEach(() => {
  accepted = [];
  told = [];
  refreshed = [];
  lines = new Map([['drop600', { executable: 'firewall-drop', timeoutSeconds: 600 }]]);
  absent = new Map([['netsh60', ['netsh.exe']]]);
  there = true;
  disabled = false;
  failure = undefined;
  onRefresh = () => {};
  lock.lock(0);
});

const make = (manager: ManagerQueue = 'wazuh4') => {
  const arConf: ArConf = {
    lines: () => lines,
    absent: (name) => absent.get(name),
    isThere: () => there,
    refresh: async (anyway = false) => {
      refreshed.push(anyway);
      onRefresh();
    },
  };
  const log = new Proxy({} as Log, {
    get: (_, level) => (facts: { code?: string }, msg: string) =>
      told.push([String(level), msg, facts.code].filter(Boolean).join(' ')),
  });
  const composed = {
    flow: {
      accept: async (request: Request) => {
        accepted.push(request);
        if (failure !== undefined) throw failure;
      },
    },
    settled: () => ({ config: { activeResponseDisabled: disabled }, define: findResponse }),
  } as unknown as Parameters<typeof createMessages>[0]['composed'];
  const commands = createCommands(() => ({
    arConf: lines,
    definitions: [],
    repeatedOffenderSeconds: [],
  }));
  return createMessages({ composed, commands, arConf, manager, lock, log });
};
const message = (name: string) => Buffer.from(`${name} - 203.0.113.7 1.1 5763 host->/log -`);
const names = () => accepted.map(({ response, timeoutSeconds }) => [response, timeoutSeconds]);

it('goes by ar.conf', async () => {
  const messages = make();
  await messages.prepare();
  await messages.handle(message('drop600'));
  expect(names()).toEqual([['firewall-drop', 600]]);
  // It was not read in any case: the name is in it.
  expect(refreshed).toEqual([false]);
});

it('reads ar.conf again for a name that is not in it', async () => {
  onRefresh = () => lines.set('new60', { executable: 'host-deny', timeoutSeconds: 60 });
  await make().handle(message('new60'));
  expect(refreshed).toEqual([true]);
  expect(names()).toEqual([['host-deny', 60]]);
});

it('refuses a name that nobody knows', async () => {
  await make().handle(message('firewall-drop600'));
  expect(accepted).toEqual([]);
  expect(told).toEqual(['warn message refused response-unknown']);
});

it('takes names as they are where there is no ar.conf, which it tells once', async () => {
  there = false;
  lines.clear();
  const messages = make();
  await messages.handle(message('firewall-drop600'));
  await messages.handle(message('host-deny60'));
  expect(names()).toEqual([
    ['firewall-drop', 600],
    ['host-deny', 60],
  ]);
  const said = 'there is no ar.conf: names count as they are';
  expect(told).toEqual([`info ${said}`, `debug ${said}`]);
});

it('passes over what this machine does not have, which it tells once', async () => {
  const messages = make();
  await messages.handle(message('netsh60'));
  await messages.handle(message('netsh60'));
  expect(accepted).toEqual([]);
  const said = 'not on this machine, so it is not run here';
  expect(told).toEqual([`info ${said}`, `debug ${said}`]);
});

it('needs no ar.conf for custom commands and restarts', async () => {
  const messages = make();
  await messages.handle(message('!own.sh'));
  await messages.handle(Buffer.from('restart-wazuh'));
  expect(names()).toEqual([
    ['own.sh', undefined],
    ['restart-wazuh', undefined],
  ]);
});

it('does not read ar.conf for Wazuh 5, which has none', async () => {
  const messages = make('wazuh5');
  await messages.prepare();
  await messages.handle(
    Buffer.from(
      '{"wazuh":{"active_response":{"executable":"block-ip"}},"source":{"ip":"1.2.3.4"}}',
    ),
  );
  expect(refreshed).toEqual([]);
  expect(names()).toEqual([['block-ip', undefined]]);
});

it('restarts nothing while that is locked, and does everything else', async () => {
  lines.set('restart-ossec0', { executable: 'restart-ossec.sh', timeoutSeconds: 0 });
  lock.lock(600);
  const messages = make();
  await messages.handle(message('restart-ossec0'));
  await messages.restart('test');
  await messages.handle(message('drop600'));
  expect(names()).toEqual([['firewall-drop', 600]]);
  lock.lock(0);
  await messages.handle(message('restart-ossec0'));
  await messages.restart('test');
  expect(names().slice(1)).toEqual([
    ['restart-ossec.sh', undefined],
    ['restart-wazuh', undefined],
  ]);
});

it('does nothing while active responses are turned off', async () => {
  disabled = true;
  await make().handle(message('drop600'));
  expect(accepted).toEqual([]);
  expect(told).toEqual([expect.stringContaining('turned off')]);
});

it('never rejects, and tells what the flow does not', async () => {
  const messages = make();
  failure = new ArError('target-protected', 'no', '');
  await messages.handle(message('drop600'));
  expect(told).toEqual([]);
  failure = new ArError('limit-pending', 'too many', '');
  await messages.handle(message('drop600'));
  expect(told).toEqual(['warn not done limit-pending']);
});
