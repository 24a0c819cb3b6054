/** Markdown, as far as the documentation uses it, as man(7). */

/** Text of ours in a line of roff: no character of it is an order. */
export function escaped(text: string): string {
  return text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll("'", '\\(aq')
    .replaceAll('`', '\\(ga')
    .replaceAll('~', '\\(ti')
    .replaceAll('^', '\\(ha')
    .replaceAll('…', '\\&...')
    .replaceAll('–', '\\(en')
    .replaceAll('→', '\\(->')
    .replaceAll('"', '\\(dq');
}

/** The same, where it begins a line: a dot there would be an order, too. */
export function startingLine(text: string): string {
  const line = escaped(text);
  return line.startsWith('.') ? `\\&${line}` : line;
}

/** The lines as a file. Text that is filled anyway is broken, so that no line is long. */
export function page(lines: readonly string[]): string {
  let filled = true;
  const needed = lines.filter(
    (line, index) => !/^\.(?:PP|br)$/.test(line) || !/^\.S[HS]/.test(lines[index - 1] ?? ''),
  );
  const broken = needed.map((line) => {
    if (line === '.nf') filled = false;
    if (line === '.fi') filled = true;
    if (!filled || /^\.[A-Z]/.test(line)) return line;
    return line
      .replace(/(.{1,76})(?: +|$)/g, '$1\n')
      .replace(/\n$/, '')
      .replaceAll(/\n(?=\.)/g, '\n\\&');
  });
  return `${broken.join('\n')}\n`;
}

export function manOf(markdown: string): string[] {
  const lines = markdown.split('\n');
  const out: string[] = [];
  let titles: string[] | undefined;
  let code = false;
  for (const [index, line] of lines.entries()) {
    if (line.startsWith('```')) {
      out.push(...(code ? ['.fi', '.RE'] : ['.PP', '.RS 4', '.nf']));
      code = !code;
    } else if (code) {
      out.push(line === '' ? '\\&' : startingLine(line));
    } else if (line.startsWith('|')) {
      if (titles === undefined) titles = cellsOf(line);
      else if (!/^\|[\s|:-]+\|$/.test(line)) out.push(...rowLines(titles, cellsOf(line)));
    } else {
      titles = undefined;
      out.push(...proseLines(line, lines[index - 1] ?? ''));
    }
  }
  return out;
}

function proseLines(line: string, before: string): string[] {
  const [, marks = '', title = ''] = /^(#+) (.*)$/.exec(line) ?? [];
  // The title of the page is the one of the manual page.
  if (marks.length === 1) return [];
  if (marks.length === 2) return [`.SH ${escaped(plain(title).toUpperCase())}`];
  if (marks.length > 2) return [`.SS ${escaped(plain(title))}`];
  const [, item] = /^\s*(?:[-*]|\d+\.) (.*)$/.exec(line) ?? [];
  if (item !== undefined) return ['.IP \\(bu 2', startingLine(plain(item))];
  if (line.trim() === '') return [];
  const begins = before.trim() === '' || before.startsWith('#') || before.startsWith('```');
  return [...(begins && !before.startsWith('#') ? ['.PP'] : []), startingLine(plain(line.trim()))];
}

/** The first cell is what it is about; the others say what their column does. */
function rowLines(titles: readonly string[], [first = '', ...rest]: readonly string[]): string[] {
  const said = rest.flatMap((cell, index) => {
    if (cell === '') return [];
    return [index === 0 ? startingLine(cell) : startingLine(`${titles[index + 1]}: ${cell}`)];
  });
  return ['.TP', `.B ${escaped(first)}`, ...said.flatMap((one) => [one, '.br']).slice(0, -1)];
}

function cellsOf(line: string): string[] {
  return line
    .replace(/^\|/, '')
    .replace(/\|$/, '')
    .split(/(?<!\\)\|/)
    .map((cell) => plain(cell.replaceAll('\\|', '|').trim()));
}

/** Without the marks for code, emphasis and links. */
function plain(text: string): string {
  return text
    .replace(/\[([^\]]+)\]\([^)]+\)/g, '$1')
    .replaceAll(/`([^`]*)`/g, '$1')
    .replaceAll('**', '');
}
