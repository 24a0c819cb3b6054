/**
 * Wazuh and OSSEC read their files with a parser of their own that is more lenient than XML
 * (src/os_xml/os_xml.c): `&` has no meaning, `\<` is a plain `<`, `--` may stand inside a comment.
 * Files in the field rely on it: shell commands with `&&`, event queries written as `\<QueryList>`,
 * comments that are lines of hyphens.
 *
 * So what an XML parser would stumble over is swapped, character for character, which keeps every
 * line and column: comments and processing instructions (the parser knows no XML declaration in a
 * file of several roots) become spaces, the others a private character that `restore` turns back.
 */
const standIns = { '&': '\uE000', '<': '\uE001', '>': '\uE002' } as const;

// An open end matches too (`$`): with an end required, every "<!--" of a file full of them would be
// searched to the end of the file.
const unusual =
  /<!--[\s\S]*?(?:-->|$)|<\?[\s\S]*?(?:\?>|$)|<!\[CDATA\[[\s\S]*?(?:\]\]>|$)|\\<(?!!--)|&(?!(?:amp|lt|gt|quot|apos|#\d+|#x[\da-fA-F]+);)|\]\]>/g;

/** Turns the text into what an XML parser takes. `onOpenComment` is told of a comment without end. */
export function soften(text: string, onOpenComment: (offset: number) => void): string {
  return text.replace(unusual, (found, offset: number) => {
    if (found === '&') return standIns['&'];
    if (found === '\\<') return `\\${standIns['<']}`;
    if (found === ']]>') return `]]${standIns['>']}`;
    if (found.startsWith('<![')) return found;
    if (found.startsWith('<?')) return found.endsWith('?>') ? blank(found) : found;
    if (!found.endsWith('-->') || found.length < '<!---->'.length) onOpenComment(offset);
    return blank(found);
  });
}

/** Turns the stand-ins back; `\<` loses its backslash, whose work is done. */
export function restore(text: string): string {
  return text
    .replaceAll(standIns['&'], '&')
    .replaceAll(`\\${standIns['<']}`, '<')
    .replaceAll(standIns['>'], '>');
}

function blank(text: string): string {
  return text.replace(/[^\r\n]/g, ' ');
}
