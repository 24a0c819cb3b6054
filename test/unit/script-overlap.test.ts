/** What is asked of a script at the same time about the same thing: what it did has an owner, always. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createInOrder } from '../../agent/script/in-order.ts';
import { type Agent, createAgent, createFolder, type Folder } from './script-folder.ts';

// Scripts are processes, and other tests run beside these.
vi.setConfig({ testTimeout: 60_000 });

let folder: Folder;
let agent: Agent;

beforeEach(async () => {
  folder = await createFolder();
  agent = createAgent(folder);
});
afterEach(async () => {
  await agent.stop();
  await folder.remove();
});

/** Waits a second for an add that should not come meanwhile. */
const dawdle =
  'n=0; while [ $n -lt 20 ] && ! [ -s added ]; do sleep 0.05; n=$((n + 1)); done; : > over';
/** Its effect is a file, as a rule of a firewall would be; it says when it has begun. */
const marking = (deleting: string) => [
  '#!/bin/sh',
  'case "$1" in',
  'add) echo "$3" > mark; [ -e begun ] && ! [ -e over ] && echo early > added ;;',
  `delete) : > begun; ${deleting} ;;`,
  'esac',
  'true',
];
const asked = { response: 'mark.sh', srcip: '203.0.113.7', timeoutSeconds: 100 };

test.each([
  ['acts at once and ends late', `rm -f mark; ${dawdle}`],
  ['acts late', `${dawdle}; rm -f mark`],
])('an add right behind a delete whose script %s waits for it', async (_how, deleting) => {
  await folder.write('mark.sh', marking(deleting));
  await agent.ask(asked);
  const [deleted, added] = await Promise.all([
    agent.ask({ ...asked, verb: 'delete' }),
    agent.ask(asked),
  ]);
  expect(deleted).toMatchObject({ kind: 'reverted' });
  expect(added).toMatchObject({ kind: 'active', refreshed: false });
  expect(await folder.read('added')).toBe('');
  expect(await folder.read('mark')).toBe('203.0.113.7\n');
  expect(agent.journal.list('live', 10)).toMatchObject([
    { id: added.action.id, state: 'active', target: { text: '203.0.113.7' } },
  ]);
  await agent.ask({ ...asked, verb: 'delete' });
  expect(await folder.read('mark')).toBe('');
});

test('an add that comes while the script takes back waits for it', async () => {
  await folder.write('mark.sh', marking(`${dawdle}; rm -f mark`));
  await agent.ask(asked);
  const deleted = agent.ask({ ...asked, verb: 'delete' });
  await expect.poll(() => agent.journal.list('live', 1)).toMatchObject([{ state: 'reverting' }]);
  const added = await agent.ask(asked);
  await deleted;
  expect(await folder.read('mark')).toBe('203.0.113.7\n');
  expect(agent.journal.list('live', 10)).toMatchObject([{ id: added.action.id, state: 'active' }]);
});

test('what is asked in a row is done in that row, however long its file is looked at', async () => {
  const inOrder = createInOrder();
  const given: string[] = [];
  const slow = Promise.withResolvers<string>();
  const asks = [
    inOrder('a', slow.promise),
    inOrder('a', Promise.reject(new Error('none'))),
    inOrder('a', Promise.resolve('third')),
    inOrder('b', Promise.resolve('other')),
  ].map((one) => one.then(String, String).then((text) => given.push(text)));
  await asks[3];
  expect(given).toEqual(['other']);
  slow.resolve('first');
  await Promise.all(asks);
  expect(given).toEqual(['other', 'first', 'Error: none', 'third']);
});
