/** Makes a few effects with one driver, looks whether they stand, and takes them back. */
import type { Driver, Effect, Reading } from '../../platform/driver.ts';
import type { Runner } from '../../platform/step.ts';
import { type AddressTarget, isHost, parseTarget } from '../../platform/target.ts';
import type { Carried } from '../engine/carried.ts';
import { type Carrier, createCarrier } from '../engine/carry-out.ts';

/**
 * Addresses that nobody has: they are kept for documentation (RFC 5737, RFC 3849), and no router of the
 * internet knows the way to them.
 */
export const samples: readonly AddressTarget[] = [
  '192.0.2.7',
  '2001:db8::7',
  '198.51.100.0/25',
  '2001:db8:7::/48',
].flatMap((text) => parseTarget(text) ?? []);

/** What is left standing by a self-test that was killed ends by itself where the machine can do that. */
const longestMs = 60_000;

export interface Trial {
  readonly driver: string;
  /** `skipped`: it cannot be used here, or what it would be tried with is in use. */
  readonly outcome: 'works' | 'failed' | 'skipped';
  readonly why: string;
  /** What it was tried with. */
  readonly targets: readonly string[];
  /** Milliseconds that it took to make the effects, to find them, and to take them back. */
  readonly addMs?: number;
  readonly verifyMs?: number;
  readonly removeMs?: number;
  /** Packets from an address came through before it was blocked and afterwards, and not meanwhile. */
  readonly packets?: 'dropped';
}

/** Sends packets from an address of this machine to it; true when they come through. */
export type Talk = (from: AddressTarget) => Promise<boolean>;

/** What a trial found to be wrong. */
class Fault extends Error {}

export interface Trying {
  readonly run: Runner;
  /** For a driver that drops packets; absent: nothing is sent. */
  readonly talk?: Talk | undefined;
  /** Milliseconds, of a clock that goes on evenly. */
  now(): number;
}

/** Never rejects: what goes wrong is the trial's outcome. What was there before stays as it is. */
export async function tryDriver(
  driver: Driver,
  families: readonly (4 | 6)[],
  { run, talk, now }: Trying,
): Promise<Trial> {
  const carrier = createCarrier(driver, run);
  const before = await carrier.inspect();
  if (!before.known) return { ...trialOf(driver, []), outcome: 'failed', why: before.why };
  const targets = samples.filter((sample) => isFit(sample, driver, families, before));
  const trial = trialOf(driver, targets);
  if (targets.length === 0) {
    return { ...trial, outcome: 'skipped', why: 'the addresses that it is tried with are in use' };
  }
  const times: { addMs?: number; verifyMs?: number; removeMs?: number } = {};
  const timed = async <Result>(
    name: keyof typeof times,
    work: () => Promise<Result>,
  ): Promise<Result> => {
    const from = now();
    const result = await work();
    times[name] = Math.round((now() - from) * 10) / 10;
    return result;
  };
  let why = `held and let go of ${targets.length} targets`;
  let outcome: Trial['outcome'] = 'works';
  try {
    if (talk !== undefined) await packets(targets, talk, 'pass');
    must(await timed('addMs', () => carrier.apply(effects(targets))));
    await timed('verifyMs', () => standing(carrier, targets, true));
    if (talk !== undefined) await packets(targets, talk, 'are dropped');
  } catch (error) {
    [outcome, why] = ['failed', reason(error)];
  }
  try {
    must(await timed('removeMs', () => carrier.revert(effects(targets))));
    await standing(carrier, targets, false);
    if (talk !== undefined && outcome === 'works') await packets(targets, talk, 'pass');
    if (before.containers.length === 0) await carrier.teardown();
  } catch (error) {
    [outcome, why] = ['failed', `left behind what it was tried with: ${reason(error)}`];
  }
  const dropped = talk !== undefined && outcome === 'works';
  return { ...trial, outcome, why, ...times, ...(dropped && { packets: 'dropped' }) };
}

function trialOf({ name }: Driver, targets: readonly AddressTarget[]) {
  return { driver: name, targets: targets.map(({ text }) => text) };
}

/** Whoever holds one of them already would lose it. */
function isFit(
  sample: AddressTarget,
  { traits }: Driver,
  families: readonly (4 | 6)[],
  { effects: ours, foreign, isCovered }: Extract<Reading, { known: true }>,
): boolean {
  const inUse = [...ours.map(({ target }) => target), ...foreign].some(
    ({ text }) => text === sample.text,
  );
  const takes = families.includes(sample.family) && (traits.prefixes || isHost(sample));
  return takes && !inUse && isCovered?.(sample) !== true;
}

function effects(targets: readonly AddressTarget[]): Effect[] {
  return targets.map((target) => ({ target, expiresInMs: longestMs }));
}

function must(carried: readonly Carried[]): void {
  const bad = carried.find(({ result }) => result !== 'done');
  if (bad !== undefined) throw new Fault(`${bad.target.text}: ${bad.why ?? bad.result}`);
}

async function standing(
  carrier: Carrier,
  targets: readonly AddressTarget[],
  wanted: boolean,
): Promise<void> {
  const reading = await carrier.inspect();
  if (!reading.known) throw new Fault(reading.why);
  const held = new Set(
    reading.effects.filter(({ partial }) => partial !== true).map(({ target }) => target.text),
  );
  const wrong = targets.filter(({ text }) => held.has(text) !== wanted);
  if (wrong.length === 0) return;
  const names = wrong.map(({ text }) => text).join(', ');
  throw new Fault(wanted ? `the machine does not hold ${names}` : `${names} is still held`);
}

async function packets(
  targets: readonly AddressTarget[],
  talk: Talk,
  wanted: 'pass' | 'are dropped',
): Promise<void> {
  const hosts = targets.filter(isHost);
  const through = await Promise.all(hosts.map(talk));
  const wrong = hosts.filter((_, index) => through[index] !== (wanted === 'pass'));
  if (wrong.length === 0) return;
  const names = wrong.map(({ text }) => text).join(', ');
  const instead = wanted === 'pass' ? 'do not come through' : 'come through all the same';
  throw new Fault(`packets from ${names} ${instead}`);
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
