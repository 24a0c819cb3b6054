/** macOS: pf stays enabled by a reference of ours, as long as something of ours is there. */
import { afterEach, expect, test } from 'vitest';
import { createCarrier } from '../../agent/engine/carry-out.ts';
import { pf } from '../../platform/bsd/pf.ts';
import { targets } from '../contract/driver-contract.ts';
import { createPfMachine, type PfMachine, settingsOn } from './pf-machine.ts';

let machine: PfMachine;
afterEach(() => machine?.close());

const effects = targets(['203.0.113.7']).map((target) => ({ target }));
const carrier = () => createCarrier(pf.make(settingsOn('macos14')), machine.run);
const changing = () => machine.ran.filter((line) => / -[EX]\b/.test(line));

test('it is taken with the first block, kept by another agent, and given back with the last', async () => {
  machine = await createPfMachine('macos14');
  await carrier().apply(effects);
  expect(machine.pf).toMatchObject({ enabled: true, tokens: [expect.any(String)] });
  const [token] = machine.pf.tokens;
  // Another process finds the token again.
  const next = carrier();
  await next.apply(effects);
  await next.mend(await next.inspect(), []);
  expect(changing()).toEqual(['pfctl -E']);
  await next.revert(effects);
  await next.teardown();
  expect(machine.pf).toMatchObject({ enabled: false, tokens: [] });
  expect(changing()).toEqual(['pfctl -E', `pfctl -X ${token}`]);
  await next.teardown();
  expect(changing()).toHaveLength(2);
});

test('those of others are left alone, and keep pf enabled after ours', async () => {
  machine = await createPfMachine('macos14');
  await machine.exec(['pfctl', '-E']);
  const theirs = [...machine.pf.tokens];
  const one = carrier();
  await one.apply(effects);
  expect(machine.pf.tokens).toHaveLength(2);
  await one.revert(effects);
  await one.teardown();
  expect(machine.pf).toMatchObject({ enabled: true, tokens: theirs });
});

test('what somebody else disabled for all is noticed, and mended', async () => {
  machine = await createPfMachine('macos14');
  const one = carrier();
  await one.apply(effects);
  await machine.exec(['pfctl', '-d']);
  const found = await one.inspect();
  expect(found).toMatchObject({ containers: [], effects });
  expect(await one.mend(found, ['com.apple/ar-exec'])).toBeUndefined();
  expect(machine.pf).toMatchObject({ enabled: true, tokens: [expect.any(String)] });
  // A token that has become invalid is nothing to release.
  await machine.exec(['pfctl', '-d']);
  await one.revert(effects);
  await one.teardown();
  expect(await one.inspect()).toMatchObject({ containers: [], effects: [] });
});

test('a block that cannot be enforced is none', async () => {
  machine = await createPfMachine('macos14');
  const run: typeof machine.run = async (step) =>
    step.kind === 'pf-reference'
      ? { failure: 'exit', exitCode: 1, stdout: '', stderr: 'pfctl: Operation not permitted' }
      : machine.run(step);
  const one = createCarrier(pf.make(settingsOn('macos14')), run);
  expect(await one.apply(effects)).toMatchObject([
    { result: 'failed', why: expect.stringContaining('Operation not permitted') },
  ]);
});
