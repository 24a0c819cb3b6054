import fc from 'fast-check';
import type { Frame } from 'node-ipc';
import { describe, expect, test } from 'vitest';
import { createLineParser, type Partial } from '../../agent/intake/line-parser.ts';

/** What a connection hands on that gets these chunks. */
function framesOf(chunks: readonly string[], limitBytes = 1_000) {
  const parser = createLineParser(limitBytes);
  const frames: Frame[] = [];
  let rest: unknown = '';
  for (const chunk of chunks) {
    rest = parser.read(rest, chunk, (frame) => {
      frames.push(frame);
    });
  }
  const of = (type: string) => frames.filter((frame) => frame.type === type);
  return {
    frames,
    rest,
    lines: of('line').map(({ data }) => data as string),
    partials: of('partial').map(({ data }) => data as Partial),
    oversize: of('oversize').length,
  };
}

function chunked(text: string, cuts: readonly number[]): string[] {
  const places = [
    0,
    ...cuts.map((cut) => cut % (text.length + 1)).sort((a, b) => a - b),
    text.length,
  ];
  return places.slice(1).map((end, index) => text.slice(places[index], end));
}

describe('the line parser', () => {
  test('hands on whole lines, however they are cut', () => {
    const line = fc
      .string({ unit: 'grapheme', maxLength: 30 })
      .map((one) => one.replaceAll('\n', ' '));
    fc.assert(
      fc.property(fc.array(line), line, fc.array(fc.nat()), (lines, tail, cuts) => {
        const text = [...lines, tail].join('\n');
        const read = framesOf(chunked(text, cuts), 10_000);
        expect(read.lines).toEqual(lines);
        expect(read.oversize).toBe(0);
        // What has begun is told once, and grows.
        if (tail !== '') expect(read.partials.at(-1)?.text).toBe(tail);
      }),
    );
  });

  test('tells once of a line that has begun', () => {
    const { frames, partials } = framesOf(['{"a"', ':1', '}\n{', '}\n']);
    expect(frames.map(({ type }) => type)).toEqual(['partial', 'line', 'partial', 'line']);
    expect(partials.map(({ text }) => text)).toEqual(['{"a":1', '{']);
  });

  test.each([
    ['of the limit', ['a'.repeat(1_000), '\n'], 0],
    ['one byte longer', ['a'.repeat(1_001), '\n'], 1],
    ['one byte longer, in one piece', [`${'a'.repeat(1_001)}\n`], 1],
    ['one byte longer, bit by bit', [...'a'.repeat(1_001), '\n'], 1],
    ['of few characters and too many bytes', [`${'\u{20ac}'.repeat(334)}\n`], 1],
    ['of as many bytes as allowed', [`${'\u{20ac}'.repeat(333)}\n`], 0],
    ['without an end', Array(100).fill('a'.repeat(100)), 1],
  ])('refuses what is too long: a line %s', (_, chunks, oversize) => {
    const read = framesOf(chunks);
    expect(read.oversize).toBe(oversize);
    expect(read.lines).toHaveLength(oversize === 0 ? 1 : 0);
  });

  test('reads nothing more, and keeps nothing, after it refused', () => {
    const parser = createLineParser(10);
    const frames: Frame[] = [];
    const receive = (frame: Frame): void => {
      frames.push(frame);
    };
    let rest = parser.read('', 'ok\n', receive);
    rest = parser.read(rest, 'x'.repeat(11), receive);
    for (let turn = 0; turn < 1_000; turn += 1)
      rest = parser.read(rest, `${'y'.repeat(1_000)}\n`, receive);
    expect(frames.map(({ type }) => type)).toEqual(['line', 'oversize']);
    expect(typeof rest).toBe('symbol');
  });

  test('never keeps more than the limit', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ maxLength: 40 })), (chunks) => {
        const { rest, lines } = framesOf(chunks, 50);
        const kept = typeof rest === 'object' && rest !== null ? (rest as Partial).text.length : 0;
        expect(kept).toBeLessThanOrEqual(50);
        for (const line of lines) expect(Buffer.byteLength(line)).toBeLessThanOrEqual(50);
      }),
    );
  });

  test('writes a line', () => {
    expect(createLineParser(10).encode('line', '{}')).toBe('{}\n');
  });
});
