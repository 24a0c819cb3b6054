import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { createLineReader } from '../../agent/called/standard-input.ts';

const textOf = async (read: () => Promise<Buffer | undefined>) => (await read())?.toString();

test('lines are read with their ends, in whatever pieces they come', async () => {
  const source = new PassThrough();
  const read = createLineReader(source, 10_000);
  source.write('one\ntw');
  expect(await textOf(read)).toBe('one\n');
  const second = textOf(read);
  source.write('o\r\nthr');
  expect(await second).toBe('two\r\n');
  source.end('ee');
  expect(await textOf(read)).toBe('three');
  expect(await textOf(read)).toBeUndefined();
});

test('a line ends where a buffer of fgets does', async () => {
  const source = new PassThrough();
  const read = createLineReader(source, 10_000);
  source.end(`${'x'.repeat(65_540)}\n`);
  expect((await read())?.length).toBe(65_535);
  expect(await textOf(read)).toBe('xxxxx\n');
});

test('more than that is not kept in memory', async () => {
  const source = new PassThrough();
  const read = createLineReader(source, 10_000);
  source.write('x'.repeat(65_535));
  await read();
  source.write('x'.repeat(70_000));
  await new Promise(setImmediate);
  expect(source.isPaused()).toBe(true);
});

test('what does not come in time is not waited for', async () => {
  const read = createLineReader(new PassThrough(), 10);
  expect(await read()).toBeUndefined();
});
