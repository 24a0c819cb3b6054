/** What `<command>` and `<active-response>` have in common: elements with a value, each once. */
import { suggestion } from './nearest.ts';
import { quote, type Remark, remarkAt } from './place.ts';
import type { Element } from './xml.ts';

/** The elements of a block by their names, and what is wrong with it. */
export interface Block {
  /** Those that count: where one is given twice, the last. */
  readonly fields: ReadonlyMap<string, Element>;
  /** What there is to say that changes nothing. */
  readonly remarks: Remark[];
  /** Why the block cannot be what its author means. */
  readonly faults: Remark[];
  /** A field's value; a fault when there is one that `read` does not understand. */
  take<Value>(
    name: string,
    form: string,
    read: (text: string) => Value | undefined,
  ): Value | undefined;
}

/** Documentation that was copied from a web page or a PDF has these for "-". */
const typographicHyphen = /[\u2010-\u2015]/g;

/** Reads a block whose elements are `known`; those in `ignored` are not ours to look at. */
export function readBlock(
  element: Element,
  { known, ignored = [] }: { known: readonly string[]; ignored?: readonly string[] },
): Block {
  const fields = new Map<string, Element>();
  const remarks: Remark[] = [];
  const faults: Remark[] = [];
  for (const child of element.children) {
    const { name } = child;
    if (ignored.includes(name)) continue;
    if (!known.includes(name)) {
      faults.push(remarkAt(child, unknownChild(element.name, name, known)));
      continue;
    }
    const inner = child.children[0];
    if (inner !== undefined) {
      faults.push(remarkAt(inner, `<${name}> holds <${inner.name}>, where only text belongs`));
    }
    const before = fields.get(name);
    if (before !== undefined) {
      remarks.push(
        remarkAt(child, `<${name}> is given on line ${before.line} already: this one counts`),
      );
    }
    if (child.text.search(typographicHyphen) !== -1)
      remarks.push(remarkAt(child, hyphenIn(child.text)));
    fields.set(name, child);
  }
  return {
    fields,
    remarks,
    faults,
    take: (name, form, read) => {
      const field = fields.get(name);
      if (field === undefined) return undefined;
      const value = read(field.text);
      if (value === undefined) {
        faults.push(remarkAt(field, `<${name}> is ${quote(field.text)}, and takes: ${form}`));
      }
      return value;
    },
  };
}

/** Roots of a file that hold no blocks, whatever is in them. */
const closed = ['ar-exec', 'command', 'active-response'];

/** The blocks of that name, in the roots of a file or as roots themselves. */
export function blocksIn(document: Element, name: string): Element[] {
  return document.children.flatMap((root) => {
    if (root.name === name) return [root];
    if (closed.includes(root.name)) return [];
    return root.children.filter((child) => child.name === name);
  });
}

export function readYesNo(text: string): boolean | undefined {
  const word = text.toLowerCase();
  return word === 'yes' ? true : word === 'no' ? false : undefined;
}

function hyphenIn(text: string): string {
  const mended = text.replace(typographicHyphen, '-');
  return `${quote(text)} is written with a typographic hyphen: write ${quote(mended)}`;
}

function unknownChild(parent: string, name: string, known: readonly string[]): string {
  if (name === parent) {
    return `<${name}> is opened again inside of <${name}>: if it was meant to close it, write "</${name}>"`;
  }
  return `<${parent}> has no element <${name}>.${suggestion(name, known)}`;
}
