import { describe, expect, test } from 'vitest';
import { createEventEntries } from '../../agent/observe/event-entries.ts';

function play() {
  const written: [string, number, string][] = [];
  const clock = { now: 0 };
  const entries = createEventEntries(
    (type, id, text) => void written.push([type, id, text]),
    () => clock.now,
  );
  return { written, clock, entries };
}

describe('the entries of the event log', () => {
  test('tell of start, end and failure', () => {
    const { written, entries } = play();
    entries.started('The agent runs, version 1, process 2.');
    entries.failed('the configuration\nis broken');
    entries.stopped();
    expect(written).toEqual([
      ['information', 1, 'The agent runs, version 1, process 2.'],
      ['error', 3, 'The agent does not run: the configuration is broken'],
      ['information', 2, 'The agent has stopped.'],
    ]);
  });

  test('of errors there are ten in ten minutes; how many more there were is told', () => {
    const { written, clock, entries } = play();
    for (let at = 0; at < 1_000; at += 1) entries.trouble({ at }, 'a chore failed');
    expect(written).toHaveLength(10);
    expect(written[9]).toEqual(['error', 4, 'a chore failed: {"at":9}']);
    clock.now = 10 * 60_000;
    entries.trouble({ at: 'later' }, 'a chore failed');
    expect(written.slice(10)).toEqual([
      ['warning', 5, '990 more errors are in the log file of ar-exec alone.'],
      ['error', 4, 'a chore failed: {"at":"later"}'],
    ]);
    for (let at = 0; at < 12; at += 1) entries.trouble({}, 'x');
    entries.stopped();
    expect(written.at(-2)).toEqual([
      'warning',
      5,
      '3 more errors are in the log file of ar-exec alone.',
    ]);
  });

  test('have no secrets in them, no line ends, and are not endless', () => {
    const { written, entries } = play();
    entries.trouble({ url: 'https://hooks.example/services/SECRET?token=SECRET' }, 'no answer');
    entries.trouble({ why: `a\u202eb\u0007${'x'.repeat(5_000)}` }, 'long');
    const texts = written.map(([, , text]) => text);
    expect(texts.join('')).not.toContain('SECRET');
    expect(texts[0]).toContain('https://hooks.example/***');
    expect(texts[1]).not.toMatch(/[\p{Cc}\p{Cf}]/u);
    expect(texts[1]?.length).toBe(1_000);
  });
});
