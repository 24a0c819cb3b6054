import type { Random } from './random.ts';
import type { FuzzTarget } from './target.ts';

/** What readers of addresses, numbers, lines, paths, JSON, XML and command lines stumble over. */
const nasty: readonly string[] = [
  '203.0.113.7',
  '2001:db8::7',
  '::ffff:127.0.0.1',
  '127.0.0.1',
  '10.77.0.2',
  '203.0.113.0/24',
  '0/0',
  '-j',
  '--help',
  '-6',
  '../',
  '/etc/passwd',
  '%2e%2e%2f',
  '$(id)',
  '`id`',
  ';id;',
  '|id',
  '&&',
  '\n',
  '\r\n',
  '\0',
  '\t',
  ' ',
  '\u00ff',
  '\u00ed\u00a0\u0080',
  '\u00ef\u00bb\u00bf',
  '\u00e2\u0080\u00a8',
  '\\ud800',
  '\\u0000',
  '__proto__',
  'constructor',
  'toString',
  '9007199254740993',
  '-1',
  '1e400',
  '0x7f000001',
  '4294967296',
  'null',
  'true',
  '[]',
  '{}',
  '""',
  '"',
  "'",
  '\\',
  ',',
  ':',
  '<',
  '>',
  '</',
  '<!--',
  '-->',
  '<![CDATA[',
  ']]>',
  '&amp;',
  '&#0;',
  '&',
];
const longest = 8_192;
/** Now and then an input is as long as the socket takes it. */
const longestOfAll = 131_072;

/** Makes another input of one, or of two. */
export function mutate(
  input: Buffer,
  other: Buffer,
  { shape, words }: Pick<FuzzTarget, 'shape' | 'words'>,
  random: Random,
): Buffer {
  if (shape === 'json' && random.below(2) === 0) {
    const mutated = mutateJson(input, words, random);
    if (mutated !== undefined) return mutated;
  }
  if (shape === 'xml' && random.below(2) === 0) return mutateTags(input, other, words, random);
  let bytes = input;
  for (let times = 1 + random.below(4); times > 0; times -= 1) {
    bytes = mutateBytes(bytes, other, words, random);
  }
  if (random.below(20_000) === 0 && bytes.length > 0) {
    const times = Math.ceil(longestOfAll / bytes.length);
    return Buffer.concat(Array.from({ length: times }, () => bytes)).subarray(0, longestOfAll);
  }
  return bytes.length > longest ? bytes.subarray(0, longest) : bytes;
}

function mutateBytes(
  bytes: Buffer,
  other: Buffer,
  words: readonly string[],
  random: Random,
): Buffer {
  const at = random.below(bytes.length + 1);
  const length = 1 + random.below(Math.min(64, bytes.length - at + 1));
  const [before, cut, after] = [
    bytes.subarray(0, at),
    bytes.subarray(at, at + length),
    bytes.subarray(at + length),
  ];
  switch (random.below(8)) {
    case 0: {
      const copy = Buffer.from(bytes);
      if (at < copy.length) copy[at] = (copy[at] ?? 0) ^ (1 << random.below(8));
      return copy;
    }
    case 1:
      return Buffer.concat([before, after]);
    case 2:
      return Buffer.concat([before, cut, cut, after]);
    case 3:
      return Buffer.concat([before, word(words, random), cut, after]);
    case 4:
      return Buffer.concat([before, word(words, random), after]);
    case 5: {
      const from = random.below(other.length + 1);
      return Buffer.concat([before, other.subarray(from, from + 1 + random.below(256)), after]);
    }
    case 6:
      return Buffer.concat([before, Buffer.from([random.below(256)]), cut, after]);
    default:
      return Buffer.concat([before, other.subarray(random.below(other.length + 1))]);
  }
}

function word(words: readonly string[], random: Random): Buffer {
  return Buffer.from(random.pick(random.below(2) === 0 ? words : nasty) ?? '', 'latin1');
}

/** Another value in one place of it, another name, or one place more. */
function mutateJson(input: Buffer, words: readonly string[], random: Random): Buffer | undefined {
  let value: unknown;
  try {
    value = JSON.parse(input.toString());
  } catch {
    return undefined;
  }
  const places: { holder: Record<string, unknown>; name: string }[] = [];
  const collect = (holder: unknown, depth: number): void => {
    if (typeof holder !== 'object' || holder === null || depth > 12) return;
    for (const name of Object.keys(holder)) {
      places.push({ holder: holder as Record<string, unknown>, name });
      collect((holder as Record<string, unknown>)[name], depth + 1);
    }
  };
  collect(value, 0);
  for (let times = 1 + random.below(3); times > 0; times -= 1) {
    const place = random.pick(places);
    if (place === undefined) return undefined;
    const { holder, name } = place;
    const kind = random.below(8);
    if (kind === 0) delete holder[name];
    else if (kind === 1) holder[word(words, random).toString('latin1')] = holder[name];
    else holder[name] = mutatedValue(holder[name], random.pick(places), words, random);
  }
  const text = JSON.stringify(value);
  return text.length > longestOfAll ? undefined : Buffer.from(text);
}

function mutatedValue(
  value: unknown,
  other: { holder: Record<string, unknown>; name: string } | undefined,
  words: readonly string[],
  random: Random,
): unknown {
  const text = (): string => word(words, random).toString('latin1');
  switch (random.below(10)) {
    case 0:
      return null;
    case 1:
      return random.pick([0, -1, 1, 16, 600, 1.5, 1e308, 2 ** 53, -0]);
    case 2:
      return [value, text()];
    case 3:
      return { [text()]: value };
    case 4:
      return structuredClone(other?.holder[other.name]);
    case 5:
      return text().repeat(1 + random.below(300));
    case 6:
      return random.below(2) === 0;
    case 7:
      return `${typeof value === 'string' ? value : ''}${text()}`;
    case 8:
      return `${text()}${typeof value === 'string' ? value : ''}`;
    default:
      return text();
  }
}

/** An element, an attribute or a text replaced, doubled, taken away or moved. */
function mutateTags(
  input: Buffer,
  other: Buffer,
  words: readonly string[],
  random: Random,
): Buffer {
  const split = (bytes: Buffer): string[] => bytes.toString('latin1').split(/(?=<)|(?<=>)/);
  const pieces = split(input);
  for (let times = 1 + random.below(3); times > 0; times -= 1) {
    const at = random.below(pieces.length + 1);
    const piece = random.pick(random.below(2) === 0 ? pieces : split(other)) ?? '';
    const text = word(words, random).toString('latin1');
    const replaced = [piece, text, `<${text}>`, `</${text}>`, `<${text}>${piece}</${text}>`];
    pieces.splice(at, random.below(2), random.pick(replaced) ?? '');
  }
  return Buffer.from(pieces.join('').slice(0, longest), 'latin1');
}
