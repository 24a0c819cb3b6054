/** Names as Windows has them: of accounts, of files, of devices. */

/** What no part of a path may hold (Microsoft, "Naming Files, Paths, and Namespaces"). */
const oddInPath = /[\p{Cc}<>"|?*:/]/u;
/**
 * Names of devices in every folder, with any ending and with spaces before it. The superscript digits
 * count as digits there.
 */
const device = /^(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9\u00b9\u00b2\u00b3]) *(\.|$)/i;
const longestPath = 4_096;
/** What no account's name may hold (Microsoft, "User Name Formats" and NetUserAdd). */
const oddInAccount = /[\p{Cc}"/\\[\]:;|=,+*?<>@]/u;
/** LM20_UNLEN (lmcons.h). */
const longestAccount = 20;

/**
 * Understands the path of a file on a drive, `C:\folder\file`, and prints it in one way: the drive's
 * letter is a capital, `\` stands between its parts. Anything that leads elsewhere than it seems is
 * refused: `..`, a device, a stream (`file:stream`), a dot or a space at an end (Windows drops it), a
 * share, a path that depends on the current folder.
 */
export function parseWindowsPath(text: string): string | undefined {
  const plain = text.replaceAll('/', '\\').replace(/^\\\\\?\\(?=[a-z]:\\)/i, '');
  const [drive = '', ...parts] = plain.split('\\');
  if (plain.length > longestPath || !/^[a-z]:$/i.test(drive) || !plain.isWellFormed()) {
    return undefined;
  }
  return parts.length > 0 && parts.every(isPlainName)
    ? [drive.toUpperCase(), ...parts].join('\\')
    : undefined;
}

/** Whether a name stands for a file of this name in its folder, and for nothing else. */
export function isPlainName(name: string): boolean {
  return name !== '' && name.length <= 255 && !oddInPath.test(name) && !isSpecial(name);
}

function isSpecial(name: string): boolean {
  return name.includes('\\') || /[. ]$/.test(name) || device.test(name);
}

/** Understands the name of a local account; the same account has one spelling. */
export function parseAccountName(text: string): string | undefined {
  const fits = text !== '' && text.length <= longestAccount && text.isWellFormed();
  if (!fits || oddInAccount.test(text) || /^ |[ .]$/.test(text)) return undefined;
  return foldCase(text);
}

/**
 * Small letters, as far as Windows takes the two for the same: letter by letter, there and back. It
 * knows no others: neither `ß` and `SS`, nor the Kelvin sign and `k`.
 */
export function foldCase(text: string): string {
  return Array.from({ length: text.length }, (_, index) => {
    const letter = text.charAt(index);
    const small = letter.toLowerCase();
    return small.length === 1 && small.toUpperCase() === letter ? small : letter;
  }).join('');
}

/** Whether two paths have the same name. */
export function isSamePath(one: string, other: string): boolean {
  return foldCase(one) === foldCase(other);
}

/** Whether a path is a folder's, or of something below it; both as `parseWindowsPath` prints them. */
export function isBelow(path: string, folder: string): boolean {
  const [inside, above] = [foldCase(path), foldCase(folder).replace(/\\$/, '')];
  return inside === above || inside.startsWith(`${above}\\`);
}
