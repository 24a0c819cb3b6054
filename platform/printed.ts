import { type AddressTarget, parseTarget } from './target.ts';

/**
 * Understands an address as system tools print it. The C library writes `::102:304` as `::1.2.3.4`
 * (inet_ntop of glibc, musl and the BSDs), a spelling that is refused when it comes from a person.
 */
export function parsePrinted(text: string): AddressTarget | undefined {
  const plain = text.replace(/^::(\d+)\.(\d+)\.(\d+)\.(\d+)/, (_, ...found: string[]) => {
    const [a = 0, b = 0, c = 0, d = 0] = found.slice(0, 4).map(Number);
    return `::${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`;
  });
  return parseTarget(plain);
}
