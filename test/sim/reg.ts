/**
 * reg.exe, `query` of a key, with `/s` of all below it. A key without values is printed with nothing
 * below its name; values in the order in which they came. Switch: `limited` for a user who is no administrator.
 */
import type { Simulator } from './simulator.ts';
import { expand, registryOf } from './windows-registry.ts';
import { print, unknown, wordsOf } from './windows-words.ts';

export const simulate: Simulator = (call, parts) => {
  const { args, switches } = call;
  const words = wordsOf(call);
  const [verb = '', path = '', option, ...more] = args;
  const root = expand(path);
  const asked = option === undefined || option.toLowerCase() === '/s';
  if (verb.toLowerCase() !== 'query' || root === undefined || !asked || more.length > 0) {
    return unknown(`reg ${args.join(' ')}`);
  }
  if (root === 'HKEY_USERS\\S-1-5-19') {
    return switches['limited'] === true
      ? print(1, [], [words.denied])
      : print(0, ['', `${root}\\Environment`]);
  }
  const registry = registryOf(parts);
  const isBelow = (key: string): boolean =>
    key.toLowerCase() === root.toLowerCase() ||
    key.toLowerCase().startsWith(`${root.toLowerCase()}\\`);
  const found = Object.keys(registry).filter(isBelow).sort();
  if (found.length === 0) return print(1, [], [words.noKey]);
  const shown = option === undefined ? found.filter((key) => key.length === root.length) : found;
  const lines = shown.flatMap((key) => [
    '',
    key,
    ...Object.entries(registry[key] ?? {}).map(
      ([name, [type, data]]) => `    ${name}    ${type}    ${data}`,
    ),
  ]);
  return print(0, lines);
};
