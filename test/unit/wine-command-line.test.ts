import { expect, test } from 'vitest';
import { splitCommandLine } from '../wine/command-line.ts';

test.each<[string, string[]]>([
  [
    '"C:\\a b\\netsh.exe" "name=Block 203.0.113.5" ""',
    ['C:\\a b\\netsh.exe', 'name=Block 203.0.113.5', ''],
  ],
  ['a c\\"d "e\\\\" f\\g', ['a', 'c"d', 'e\\', 'f\\g']],
  ['"a ""b"" c"  d\t', ['a "b" c', 'd']],
  ['', []],
])('%s', (line, words) => {
  expect(splitCommandLine(line)).toEqual(words);
});
