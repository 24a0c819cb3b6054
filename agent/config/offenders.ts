/** `<repeated_offenders>`: how long the second, third … offence of the same target is answered. */
import { describeDuration } from './duration.ts';
import { quote, type Remark, remarkAt } from './place.ts';
import { alternativesIn, type Element } from './xml.ts';

/** Ten years, as for any timeout. */
const longestMinutes = 10 * 365 * 24 * 60;

/** The steps in seconds: those of the first `<active-response>` that has them. */
export function readOffenders(blocks: readonly Element[]): {
  seconds: readonly number[] | undefined;
  remarks: readonly Remark[];
} {
  const remarks: Remark[] = [];
  const found = blocks.flatMap(({ children }) =>
    children.filter(({ name }) => name === 'repeated_offenders'),
  );
  const [first, ...others] = found;
  for (const other of others) {
    if (other.text === first?.text) continue;
    const message = `<repeated_offenders> is given on line ${first?.line} already: that one counts, for all active responses`;
    remarks.push(remarkAt(other, message));
  }
  if (first === undefined) return { seconds: undefined, remarks };
  const minutes = alternativesIn(first).flatMap((word) => {
    const fault = faultOf(word);
    if (fault === undefined) return Number(word);
    const message = `<repeated_offenders> holds ${quote(word)}, which ${fault}: it is not taken; write whole minutes, like 30,60,120`;
    remarks.push(remarkAt(first, message));
    return [];
  });
  if (first.text === '') remarks.push(remarkAt(first, '<repeated_offenders> is empty'));
  const [sinking] = minutes.flatMap((one, at) => (one < (minutes[at - 1] ?? 0) ? [one] : []));
  if (sinking !== undefined) {
    const message = `<repeated_offenders> goes down to ${describeDuration(sinking * 60)}: a later offence ends sooner than the one before`;
    remarks.push(remarkAt(first, message));
  }
  return { seconds: minutes.map((one) => one * 60), remarks };
}

function faultOf(word: string): string | undefined {
  if (/^-\d+$/.test(word)) return 'is negative';
  if (!/^\d{1,15}$/.test(word)) return 'is no whole number of minutes';
  if (Number(word) === 0) return 'is no time at all';
  return Number(word) > longestMinutes ? 'is longer than 10 years' : undefined;
}
