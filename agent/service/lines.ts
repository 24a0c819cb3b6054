/** Lines of ours in a text that is somebody else's. Every other byte of it is kept. */

interface Marks {
  readonly begin: string;
  readonly end: string;
  /** Known by their beginnings: another version may have said more. */
  readonly block: RegExp;
}

const hash: Marks = {
  begin:
    '# BEGIN ar-exec (made by "ar-exec service install", taken out by "ar-exec service remove")',
  end: '# END ar-exec',
  block: /^# BEGIN ar-exec\b[^\n]*\n(?:[^\n]*\n)*?# END ar-exec\b[^\n]*(?:\n|$)/m,
};
const xml: Marks = {
  begin:
    '<!-- BEGIN ar-exec (made by "ar-exec wazuh install", taken out by "ar-exec wazuh uninstall") -->',
  end: '<!-- END ar-exec -->',
  block: /^<!-- BEGIN ar-exec\b[^\n]*\n(?:[^\n]*\n)*?<!-- END ar-exec\b[^\n]*(?:\n|$)/m,
};

/** The text with these lines in it, once. No lines: without ours. */
export function withLines(
  text: string,
  lines: readonly string[],
  where: 'end' | 'rules' | 'xml',
): string {
  const { begin, end, block } = where === 'xml' ? xml : hash;
  const ours = lines.length === 0 ? '' : `${[begin, ...lines, end].join('\n')}\n`;
  const found = block.exec(text);
  if (found !== null) return text.replace(block, () => ours);
  if (ours === '') return text;
  const at = where === 'rules' ? firstRule(text) : text.length;
  const before = text.slice(0, at);
  const gap = before === '' || before.endsWith('\n') ? '' : '\n';
  return `${before}${gap}${ours}${text.slice(at)}`;
}

/** Of pf.conf(5): what passes or blocks, and what may hold such. */
const rule = /^\s*(?:pass|block|match|anchor|antispoof|include)\b/;

/**
 * Where the first rule of pf.conf begins; its end if it has none. FreeBSD and macOS want all that
 * translates before all that filters, and a `pass quick` before ours would keep us from blocking.
 */
function firstRule(text: string): number {
  let offset = 0;
  let continued = false;
  for (const line of text.split('\n')) {
    if (!continued && rule.test(line)) return offset;
    continued = line.endsWith('\\');
    offset += line.length + 1;
  }
  return text.length;
}
