/**
 * What the drivers plan for a target is what they plan for any other of its kind, with its name in the
 * place of the other's: nothing in a name can make a plan do something else.
 */
import type { Driver, Facts } from '../../../platform/driver.ts';
import { drivers, oneShots } from '../../../platform/index.ts';
import type { Step } from '../../../platform/step.ts';
import { parseTarget, type Target } from '../../../platform/target.ts';
import { claim } from './target.ts';

interface Planner {
  readonly name: string;
  plan(target: Target, facts: Facts): readonly Step[];
}

const planners: readonly Planner[] = [
  ...drivers.map(({ name, make, defaults }) => {
    const driver = make(defaults);
    return { name, plan: (target: Target, facts: Facts) => planOf(driver, target, facts) };
  }),
  ...oneShots.map(({ name, make, defaults }) => {
    const oneShot = make(defaults);
    const perform = (target: Target, facts: Facts) => oneShot.perform(target, facts).steps;
    return { name, plan: perform };
  }),
];

/** For every driver of these; `facts` are what the alert says besides. */
export function checkPlans(names: readonly string[], target: Target, facts: Facts): void {
  const other = otherLike(target);
  for (const { name, plan } of planners) {
    if (!names.includes(name)) continue;
    const [here, there] = [attempt(plan, target, facts), attempt(plan, other, facts)];
    if (there === undefined) continue;
    claim(here !== undefined, `${name} plans nothing for ${target.text}`);
    compare(name, here, there, namesIn(other, target));
  }
}

function planOf(driver: Driver, target: Target, facts: Facts): readonly Step[] {
  const memory = {
    uid: '1001',
    was: 'open',
    expired: '',
    shell: '/bin/sh',
    name: 'x',
    folder: '/q',
  };
  const effect = { target, expiresInMs: 600_000, facts, memory };
  return [
    ...(driver.examine?.(target, facts).steps ?? []),
    ...driver.apply([effect]),
    ...driver.revert([effect]),
  ];
}

function namesIn(from: Target, to: Target): [string, string][] {
  const whole: [string, string] = [from.text, to.text];
  if (from.kind === 'named') return [];
  if (from.kind === 'address' && to.kind === 'address') return [whole, [from.address, to.address]];
  if (from.kind === 'process' && to.kind === 'process') {
    return [whole, [from.executable, to.executable]];
  }
  return [whole];
}

/** A driver that cannot do without what a look at the machine brings cannot be asked here. */
function attempt(plan: Planner['plan'], target: Target, facts: Facts): readonly Step[] | undefined {
  try {
    return plan(target, facts);
  } catch {
    return undefined;
  }
}

function otherLike(target: Target): Target {
  switch (target.kind) {
    case 'address': {
      const host = target.family === 4 ? '198.51.100.77' : '2001:db8:4d4d::77';
      const other = parseTarget(`${host}/${target.prefixLength}`);
      claim(other !== undefined, 'there is another address');
      return other;
    }
    case 'user':
      return { kind: 'user', text: 'another_account' };
    case 'file':
      return { kind: 'file', text: '/srv/another/file' };
    case 'process':
      return {
        kind: 'process',
        text: '4194000 /opt/another/program',
        pid: 4_194_000,
        executable: '/opt/another/program',
      };
    case 'named':
      return { kind: 'named', text: 'another-name' };
  }
}

/** Every text of one plan is that of the other, or that with the names changed. */
function compare(
  driver: string,
  here: unknown,
  there: unknown,
  names: readonly (readonly [string, string])[],
): void {
  if (typeof there === 'string') {
    const renamed = names.map(([from, to]) => there.replaceAll(from, () => to));
    // A name that stands for nothing is told, and goes into texts and numbers of messages.
    if (names.length === 0) return;
    // route(8) of the BSDs takes an address that ends so for a prefix, if its length is not said.
    const hosts = names.flatMap(([, to]) => (to.endsWith('::') ? [`${to}/128`] : []));
    const fits = here === there || [...renamed, ...hosts].includes(String(here));
    claim(fits, `${driver} plans ${JSON.stringify(here)} where it plans ${JSON.stringify(there)}`);
    return;
  }
  if (typeof there === 'number' && typeof here === 'number') return;
  if (typeof there === 'object' && there !== null && typeof here === 'object' && here !== null) {
    const keys = Object.keys(there);
    claim(keys.join() === Object.keys(here).join(), `${driver} plans steps of another form`);
    for (const key of keys) {
      compare(
        driver,
        (here as Record<string, unknown>)[key],
        (there as Record<string, unknown>)[key],
        names,
      );
    }
  }
}
