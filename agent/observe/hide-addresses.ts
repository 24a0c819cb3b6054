/** What looks like an address with more behind its host: a webhook, whose path is its password. */
const address =
  /(?:\b[a-z][a-z0-9+.-]*:\/\/|(?<![\w./-])(?=[\w.-]+\.[a-z]{2,}(?::\d+)?\/))([^\s/?#"'<>]+)[^\s"'<>]*/gi;

/**
 * The arguments of a request as they may be seen: of an address only its scheme and host are left.
 * Upstream logs them as they are, secret paths and all.
 */
export function hideAddresses(value: unknown): unknown {
  if (typeof value === 'string') return hide(value);
  return Array.isArray(value) ? value.map(hideAddresses) : value;
}

function hide(text: string): string {
  return text.replace(address, (found: string, authority: string) => {
    const scheme = found.slice(0, found.indexOf(authority));
    const host = authority.slice(authority.lastIndexOf('@') + 1);
    return `${scheme}${host}/***`;
  });
}
