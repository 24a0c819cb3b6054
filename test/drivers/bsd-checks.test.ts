import { describe, expect, test } from 'vitest';
import { jail } from '../../platform/bsd/checks/jail.ts';
import { packetFilters } from '../../platform/bsd/checks/packet-filters.ts';
import { rights } from '../../platform/bsd/checks/rights.ts';
import { securelevel } from '../../platform/bsd/checks/securelevel.ts';
import { checks, checksOn } from '../../platform/checks.ts';
import type { Finding, Question } from '../../platform/driver.ts';
import type { StepResult } from '../../platform/step.ts';
import { isSystem, type System, systems } from '../../platform/system.ts';
import { failed, said } from './show.ts';

/** Answers commands by their whole line; those that are not named are not there. */
function ask(
  { steps, read }: Question<readonly Finding[]>,
  answers: Readonly<Record<string, StepResult>>,
): string[] {
  const missing: StepResult = { failure: 'missing', stdout: '', stderr: '' };
  const results = steps.map((step) => {
    const line = step.kind === 'command' ? [step.tool, ...step.args].join(' ') : step.kind;
    return answers[line] ?? missing;
  });
  return read(results).map(({ id, level }) => `${level} ${id}`);
}

test.each([
  ['root', said('0\n'), []],
  ['somebody else', said('1001\n'), ['warning not-root']],
  ['nobody can tell', failed('id: ?'), []],
])('who asks: %s', (_, answer, expected) => {
  expect(ask(rights, { 'id -u': answer })).toEqual(expected);
});

describe('the securelevel', () => {
  test.each([
    [3, '-1', false],
    [3, '2', false],
    [3, '3', true],
    [2, '1', false],
    [2, '2', true],
  ])('where %i fixes the packet filter, %s does: %s', (from, level, fixes) => {
    const found = ask(securelevel(from), { 'sysctl -n kern.securelevel': said(`${level}\n`) });
    expect(found).toEqual(fixes ? ['problem securelevel-fixes-filter'] : []);
  });

  test('is no finding where it cannot be read', () => {
    expect(ask(securelevel(3), {})).toEqual([]);
  });

  test.each<[System, number]>([
    ['freebsd', 3],
    ['dragonfly', 3],
    ['openbsd', 2],
    ['netbsd', 2],
  ])('of %s counts from %i on', (system, from) => {
    const found = (level: number) =>
      checksOn(system).flatMap(({ question }) =>
        ask(question, { 'sysctl -n kern.securelevel': said(`${level}\n`) }),
      );
    expect(found(from - 1)).toEqual([]);
    expect(found(from)).toEqual(['problem securelevel-fixes-filter']);
  });
});

test.each([
  ['none', '0', '0', []],
  ['with a network of its own', '1', '1', ['note jail']],
  ['without', '1', '0', ['problem jail-without-network']],
])('a jail: %s', (_, jailed, vnet, expected) => {
  const answers = {
    'sysctl -n security.jail.jailed': said(`${jailed}\n`),
    'sysctl -n security.jail.vnet': said(`${vnet}\n`),
  };
  expect(ask(jail, answers)).toEqual(expected);
});

test.each([
  ['both', 'Enabled', '1', ['note two-packet-filters']],
  ['pf alone', 'Enabled', '0', []],
  ['ipfw alone', 'Disabled', '1', []],
])('packet filters that are on: %s', (_, status, ipfw, expected) => {
  const answers = {
    'pfctl -s info': said(`Status: ${status} for 0 days 00:00:07           Debug: Urgent\n`),
    'sysctl -n net.inet.ip.fw.enable': said(`${ipfw}\n`),
  };
  expect(ask(packetFilters, answers)).toEqual(expected);
});

test('every check is for a system, and those of Linux are for Linux alone', () => {
  const names = Object.keys(systems).filter(isSystem);
  for (const { name, systems: on } of checks) expect(on, name).not.toEqual([]);
  const read = checksOn('linux').flatMap(({ question }) => question.steps);
  expect(read.some((step) => 'path' in step && step.path.startsWith('/proc/'))).toBe(true);
  for (const system of names.filter((one) => one !== 'linux')) {
    const steps = checksOn(system).flatMap(({ question }) => question.steps);
    const paths = steps.flatMap((step) => ('path' in step ? [step.path] : []));
    expect(paths, system).toEqual([]);
    expect(steps.length, system).toBeGreaterThan(0);
  }
});
