import { SaxesParser } from 'saxes';
import { ArError } from '../errors.ts';
import { restore, soften } from './lenient.ts';
import { configError, type Place, placesIn, type Remark } from './place.ts';

/** Larger than any configuration in the field by far, small enough to be read at once. */
export const longestFileBytes = 1024 * 1024;

const deepest = 32;

/** An element of the file with what is in it. */
export interface Element extends Place {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  /** The element's own text, without that of its children, trimmed. */
  readonly text: string;
  /** White space stands around the text. Managers take it as a part of it. */
  readonly padded: boolean;
  readonly children: readonly Element[];
  /** Text that stands between child elements, where none belongs. */
  readonly stray: readonly Remark[];
}

/** The same while it is being read. */
interface OpenElement extends Place {
  readonly name: string;
  attributes: Readonly<Record<string, string>>;
  text: string;
  padded: boolean;
  readonly children: OpenElement[];
  stray: Remark[];
}

/**
 * Reads a file of the ecosystem: several root elements one after the other, comments with anything
 * in them, unescaped `&`. Returns an element without a name that holds the roots.
 */
export function readXml(source: string, file: string): Element {
  const place = placesIn(source);
  if (Buffer.byteLength(source) > longestFileBytes) throw tooLong(file);
  const text = soften(source, (offset) => {
    throw configError(
      file,
      place(offset),
      'the comment that starts here does not end',
      'End it with "-->".',
    );
  });
  const document = openElement('', { line: 1, column: 1 });
  if (text.trim() === '') return document;
  parse({ text, file, place }, document);
  if (document.children.length > 0) return document;
  throw configError(file, document, 'there is text but no element', 'Check that this is the file.');
}

/** The error for a file that is longer than any configuration is. */
export function tooLong(file: string): ArError {
  return new ArError(
    'config-invalid',
    `${file} is longer than ${longestFileBytes} bytes`,
    'Check that this is the configuration file.',
  );
}

/** The words of an element that holds a list, separated by commas or spaces. */
export function wordsIn(element: Element): string[] {
  return element.text.split(/[\s,]+/).filter((word) => word !== '');
}

/** The same where a manager separates them by `|` as well. */
export function alternativesIn(element: Element): string[] {
  return element.text.split(/[\s,|]+/).filter((word) => word !== '');
}

interface Input {
  /** The text as the parser gets it, character for character as long as what is in the file. */
  readonly text: string;
  readonly file: string;
  place(offset: number): Place;
}

function parse(input: Input, document: OpenElement): void {
  const { text, file, place } = input;
  const parser = new SaxesParser({ fragment: true, position: false });
  const open = [document];
  let start = 0;
  let afterTag = 0;
  let textAt: Place | undefined;
  const passTag = () => {
    afterTag = parser.position;
    textAt = undefined;
  };
  const inside = () => open.at(-1) ?? document;
  const onText = (found: string) => {
    const element = inside();
    element.text += restore(found);
    if (found.trim() === '') return;
    // Once for all the text behind a tag: it comes in many pieces where there is CDATA in it.
    textAt ??= place(afterTag + text.slice(afterTag).search(/\S/));
    element.stray.push({ ...textAt, message: restore(found).trim() });
  };

  parser.on('error', (error) => {
    throw malformed(error.message, parser.position - 1, input);
  });
  parser.on('opentagstart', (tag) => {
    // The parser has read "<", the name and one character more.
    start = parser.position - tag.name.length - 2;
  });
  parser.on('text', onText);
  parser.on('cdata', onText);
  parser.on('opentag', (tag) => {
    const element = openElement(tag.name, place(start));
    if (open.length > deepest) throw tooDeep(element, file);
    element.attributes = Object.fromEntries(
      Object.entries(tag.attributes).map(([name, value]) => [name, restore(value)]),
    );
    inside().children.push(element);
    open.push(element);
    passTag();
  });
  parser.on('closetag', (tag) => {
    if (!tag.isSelfClosing) checkClosing(open, parser.position, input);
    const element = open.pop();
    if (element !== undefined) finish(element);
    passTag();
  });

  // Half a surrogate pair at the end makes the parser throw something else than it says.
  parser.write(text.toWellFormed());
  if (open.length > 1) throw notClosed(open, place(text.length), 'the file ends', file);
  parser.close();
}

function openElement(name: string, { line, column }: Place): OpenElement {
  return { name, line, column, attributes: {}, text: '', padded: false, children: [], stray: [] };
}

/** Text is stray only beside child elements; in an element without any it is the value. */
function finish(element: OpenElement): void {
  const text = element.text.trim();
  element.padded = text !== element.text;
  element.text = text;
  if (element.children.length === 0) element.stray = [];
}

function checkClosing(open: readonly OpenElement[], end: number, input: Input): void {
  const start = input.text.lastIndexOf('</', end - 1);
  const closing = input.text.slice(start + 2, end - 1).trim();
  if (closing === open.at(-1)?.name) return;
  throw notClosed(open, input.place(start), `</${closing}> comes`, input.file);
}

/** An element that is still open when something else ends: often `<x>` where `</x>` was meant. */
function notClosed(open: readonly OpenElement[], at: Place, event: string, file: string): ArError {
  const name = open.at(-1)?.name ?? '';
  let first = open.length - 1;
  while (open[first - 1]?.name === name) first--;
  const outer = open[first] ?? at;
  const inner = open[first + 1];
  if (inner === undefined) {
    const message = `${event} on line ${at.line} before <${name}> is closed`;
    return configError(file, outer, message, `Close it with "</${name}>".`);
  }
  const message = `<${name}> is opened again here, inside the <${name}> of line ${outer.line}, and not closed`;
  return configError(file, inner, message, `If it was meant to close it, write "</${name}>".`);
}

function tooDeep(element: OpenElement, file: string): ArError {
  return configError(
    file,
    element,
    `<${element.name}> stands more than ${deepest} elements deep`,
    'Close the elements before it.',
  );
}

/** What the parser complains of, with the mend where the cause is a known one. */
function malformed(complaint: string, offset: number, input: Input): ArError {
  const { text, file, place } = input;
  const tagStart = Math.max(0, text.lastIndexOf('<', offset));
  const tag = text.slice(tagStart, tagStart + 100).split(/[\s<>]/, 2)[1] ?? '';
  if (/^\/?[^:/]*[\u2010-\u2015][^:/]*\/?$/.test(tag)) {
    const mended = tag.replace(/[\u2010-\u2015]/g, '-');
    return configError(
      file,
      place(tagStart),
      `"${restore(tag)}" is written with a typographic hyphen`,
      `Write it with the plain one: <${mended}>.`,
    );
  }
  const lineStart = text.lastIndexOf('\n', offset - 1) + 1;
  const hint = /(?:^|>)\s*#/.test(text.slice(lineStart, offset))
    ? 'Write comments as <!-- ... -->: "#" does not start one.'
    : 'Mend the element there; a "<" that does not start an element is written "&lt;".';
  return configError(file, place(offset), complaint.replace(/\.$/, ''), hint);
}
