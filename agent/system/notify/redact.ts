/** What stands where a secret was. */
const hidden = '***';
/** Shorter parts of an address are words like `services`, which say nothing. */
const shortestPart = 6;
const shortestToken = 4;

/**
 * Makes a function that takes secrets out of a text: an answer can repeat the path or the token that
 * was sent. An address is secret as a whole and in its parts, but not its host.
 */
export function redactor(secrets: readonly string[], addresses: readonly string[]) {
  const parts = new Set(secrets.filter((text) => text.length >= shortestToken));
  for (const address of addresses) {
    for (const part of secretPartsOf(address)) parts.add(part);
  }
  const longestFirst = [...parts].sort((a, b) => b.length - a.length);
  return (text: string): string =>
    longestFirst.reduce((rest, secret) => rest.replaceAll(secret, hidden), text);
}

function secretPartsOf(address: string): string[] {
  if (!URL.canParse(address)) return [address];
  const { href, pathname, search, hash, username, password } = new URL(address);
  const pieces = `${pathname}${search}${hash}`.split(/[/?&=#;]/);
  const all = [address, href, `${pathname}${search}`, pathname, username, password, ...pieces];
  const both = all.flatMap((one) => [one, decoded(one)]);
  return both.filter((one) => one.length >= shortestPart);
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
