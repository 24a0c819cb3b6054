/**
 * What a program of Windows makes of its command line ("Parsing C command-line arguments" of Microsoft's
 * documentation): backslashes count in front of a quote only, two quotes inside quotes are one.
 */
export function splitCommandLine(line: string): string[] {
  const words: string[] = [];
  let word: string | undefined;
  let quoted = false;
  for (let at = 0; at < line.length; at += 1) {
    const [slashes = ''] = /^\\*/.exec(line.slice(at)) ?? [];
    if (slashes !== '' && line[at + slashes.length] === '"') {
      word = (word ?? '') + '\\'.repeat(slashes.length / 2);
      at += slashes.length;
      if (slashes.length % 2 === 1) word += '"';
      else quoted = !quoted;
    } else if (line[at] === '"') {
      word ??= '';
      if (quoted && line[at + 1] === '"') {
        word += '"';
        at += 1;
      } else quoted = !quoted;
    } else if (!quoted && /[ \t]/.test(line[at] ?? '')) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else word = (word ?? '') + line[at];
  }
  return word === undefined ? words : [...words, word];
}
