import { expect, test } from 'vitest';
import { readCommands } from '../../agent/config/commands.ts';
import { readXml } from '../../agent/config/xml.ts';
import { takesAddress } from '../../agent/script/takes-address.ts';

/** The commands of a configuration, by what stands in each beside its names. */
const commandsWith = (...more: readonly string[]) => {
  const blocks = more.map((one, index) => `<command><name>c${index}</name>${one}</command>`);
  const root = readXml(blocks.join(''), 'ossec.conf');
  return readCommands(root.children).commands.map(({ definition }) => definition);
};
const script = '<executable>x.sh</executable>';

test.each([
  ['nothing is known of it', [], true],
  ['its command has no <expect>, as in Wazuh since 4.2', [script], true],
  ['its command expects srcip', [`${script}<expect>srcip</expect>`], true],
  ['its command expects srcip among others', [`${script}<expect>user, srcip</expect>`], true],
  ['its command expects nothing', [`${script}<expect></expect>`], false],
  ['its command expects nothing, in short', [`${script}<expect/>`], false],
  ['its command expects a user', [`${script}<expect>username</expect>`], false],
  ['its command expects a file', [`${script}<expect>filename</expect>`], false],
  ['one of its commands says nothing', [`${script}<expect/>`, script], true],
  [
    'one of its commands expects srcip',
    [`${script}<expect/>`, `${script}<expect>srcip</expect>`],
    true,
  ],
  ['the command is another one', ['<executable>y.sh</executable><expect/>'], true],
])('a script takes an address where %s: %s', (_why, commands, takes) => {
  const known = { scripts: new Map(), commands: commandsWith(...commands) };
  expect(takesAddress(known, 'x.sh')).toBe(takes);
  // What its declaration says comes before.
  for (const guard of [true, false]) {
    const declared = { ...known, scripts: new Map([['x.sh', { guard }]]) };
    expect(takesAddress(declared, 'x.sh')).toBe(guard);
  }
});
