/**
 * How long a post is by X's count, and what of a text fits
 * (https://docs.x.com/fundamentals/counting-characters; version 3 of twitter-text's configuration):
 * most letters count 1, others (CJK, emoji) 2, an emoji 2 however it is put together, an address 23.
 */

/** Code points that count 1. */
const light: readonly (readonly [number, number])[] = [
  [0, 4_351],
  [8_192, 8_205],
  [8_208, 8_223],
  [8_242, 8_247],
];
const addressWeight = 23;
/**
 * What X may take for an address, the scheme being optional there. It knows all top-level domains; we do
 * not. So what only looks like one counts 23 or as much as it is long, whichever is more.
 */
const address =
  /(?:https?:\/\/)?(?:[\p{L}\p{N}][\p{L}\p{N}_-]{0,62}\.){1,8}(?:\p{L}{2,24}|xn--[a-z0-9]{1,59})(?![\p{L}\p{N}])(?::\d{1,5})?(?:\/[^\s]*)?/giu;
/** Some that are certainly known; an address with a scheme and one of these counts 23 for sure. */
const surely =
  /^https?:\/\/[a-z0-9.-]+\.(?:com|net|org|edu|gov|io|dev|info|eu|de|uk|fr|es)(?:\/[\w/.-]*\w)?\/?$/i;
const graphemes = new Intl.Segmenter('en', { granularity: 'grapheme' });
const emoji = /\p{Extended_Pictographic}|\p{Regional_Indicator}|\u20e3/u;

/** The parts of a text that are kept or left out as a whole, and what each counts. */
function* parts(text: string): Generator<{ readonly part: string; readonly weight: number }> {
  let from = 0;
  for (const { 0: found, index } of text.matchAll(address)) {
    yield* characters(text.slice(from, index));
    const long = [...characters(found)].reduce((sum, { weight }) => sum + weight, 0);
    const weight = surely.test(found) ? addressWeight : Math.max(addressWeight, long);
    yield { part: found, weight };
    from = index + found.length;
  }
  yield* characters(text.slice(from));
}

function* characters(text: string): Generator<{ readonly part: string; readonly weight: number }> {
  for (const { segment } of graphemes.segment(text)) {
    const points = [...segment];
    const sum = points.reduce((total, point) => total + weightOf(point.codePointAt(0) ?? 0), 0);
    // Sequences that X does not know as one emoji count their parts.
    const weight = points.length === 1 && emoji.test(segment) ? Math.max(2, sum) : sum;
    yield { part: segment, weight };
  }
}

function weightOf(point: number): 1 | 2 {
  return light.some(([first, last]) => point >= first && point <= last) ? 1 : 2;
}

export function postLength(text: string): number {
  let length = 0;
  for (const { weight } of parts(text.normalize('NFC'))) length += weight;
  return length;
}

/** As much of a text as counts `longest` at most, with a sign at the end if something is missing. */
export function cutPost(text: string, longest: number): string {
  // Only an address can count less than it is long, and nobody needs one of thousands of letters.
  const whole = text
    .slice(0, longest * 8)
    .toWellFormed()
    .normalize('NFC');
  if (text.length <= longest * 8 && postLength(whole) <= longest) return whole;
  let kept = '';
  let length = 2; // "…" is none of those that count 1
  for (const { part, weight } of parts(whole)) {
    if (length + weight > longest) break;
    length += weight;
    kept += part;
  }
  return `${kept.trimEnd()}…`;
}
