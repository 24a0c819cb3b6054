/**
 * The words of a command line of Windows, as its C library parts them: inside quotation marks blanks do not
 * part, and backslashes count only before a quotation mark, two for one
 * (learn.microsoft.com, "Parsing C command-line arguments").
 */
export function wordsOfCommandLine(line: string): string[] {
  const words: string[] = [];
  let word: string | undefined;
  let inside = false;
  for (let at = 0; at < line.length; at += 1) {
    const [slashes = ''] = /^\\*/.exec(line.slice(at)) ?? [];
    const quoted = line[at + slashes.length] === '"';
    if (slashes !== '') {
      word = `${word ?? ''}${'\\'.repeat(quoted ? slashes.length >> 1 : slashes.length)}`;
      at += slashes.length - 1;
      if (quoted && slashes.length % 2 === 1) {
        word += '"';
        at += 1;
      }
      continue;
    }
    const sign = line[at] ?? '';
    if (sign === '"') {
      // Two of them within quotation marks are one that is meant.
      if (inside && line[at + 1] === '"') {
        word = `${word ?? ''}"`;
        at += 1;
      } else {
        inside = !inside;
        word ??= '';
      }
    } else if ((sign === ' ' || sign === '\t') && !inside) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else word = `${word ?? ''}${sign}`;
  }
  return word === undefined ? words : [...words, word];
}
