import { isIP } from 'node:net';
import { type AddressTarget, parseTarget } from '../../platform/target.ts';
import { type ActiveResponses, readActiveResponses } from './active-responses.ts';
import { blocksIn } from './block.ts';
import { type DefinedCommand, readCommands } from './commands.ts';
import { quote, type Remark, remarkAt } from './place.ts';
import { type Element, wordsIn } from './xml.ts';

/** What a manager's part of a file says that means something here. */
export interface ManagerPart {
  readonly neverBlock: readonly AddressTarget[];
  readonly managers: readonly string[];
  readonly commands: readonly DefinedCommand[];
  readonly activeResponses: ActiveResponses;
  readonly remarks: readonly Remark[];
}

/** What the templates of manager installers carry where the address is to be filled in. */
const placeholders = ['MANAGER_IP', 'IP'];

/**
 * Stands in every manager's file as it is installed, and what it means is protected anyway: a
 * warning about it would be one that everybody learns to overlook.
 */
const installedHostName = '^localhost.localdomain$';

/**
 * Takes from the manager's own part of the file what keeps the machine from being cut off, its white
 * list and its managers, and what it has responses for. Never refuses anything: that part is somebody
 * else's to check.
 */
export function readManagerPart(document: Element): ManagerPart {
  const neverBlock: AddressTarget[] = [];
  const managers = new Set<string>();
  const remarks: Remark[] = strayText(document);

  for (const { element, entry } of entries(document, ['global', 'white_list'])) {
    const target = parseTarget(entry);
    if (target !== undefined) neverBlock.push(target);
    else if (entry !== installedHostName) remarks.push(remarkAt(element, notTaken(entry)));
  }
  for (const { element, entry } of managerEntries(document)) {
    if (placeholders.includes(entry)) {
      remarks.push(
        remarkAt(element, `${quote(entry)} stands for the manager's address: it is not taken`),
      );
    } else if (isAddressOrHostName(entry)) managers.add(entry);
    else remarks.push(remarkAt(element, `${quote(entry)} is neither an address nor a host name`));
  }
  const commands = readCommands(blocksIn(document, 'command'));
  const activeResponses = readActiveResponses(blocksIn(document, 'active-response'));
  return {
    neverBlock,
    managers: [...managers],
    commands: commands.commands,
    activeResponses,
    remarks: [...remarks, ...commands.remarks, ...activeResponses.remarks],
  };
}

function managerEntries(document: Element): { element: Element; entry: string }[] {
  return [
    ...entries(document, ['client', 'server', 'address']),
    ...entries(document, ['client', 'server-ip']),
    ...entries(document, ['client', 'server-hostname']),
  ];
}

/** The words in every element with that path below a root. */
function entries(document: Element, path: readonly string[]) {
  let elements = document.children;
  for (const name of path) {
    elements = elements.flatMap((element) => element.children.filter((it) => it.name === name));
  }
  return elements.flatMap((element) => wordsIn(element).map((entry) => ({ element, entry })));
}

/** `#` starts no comment: an element behind it counts, whatever its author thinks. */
const hashText = '"#" does not start a comment, what follows it counts: write <!-- ... -->';

/** Text beside elements is passed over like unknown elements, but for what must be a mistake. */
function strayText(element: Element): Remark[] {
  if (element.name === 'ar-exec') return [];
  const remarks = element.stray.flatMap((stray) => {
    if (/^\s*#/m.test(stray.message)) return [remarkAt(stray, hashText)];
    if (element.name !== '') return [];
    return [
      remarkAt(stray, `${quote(stray.message)} stands outside of every element: it is not taken`),
    ];
  });
  return [...remarks, ...element.children.flatMap(strayText)];
}

function notTaken(entry: string): string {
  const start = `the white_list entry ${quote(entry)} is not taken as never_block`;
  if (/^(\d{1,3}\.){1,3}$/.test(entry)) {
    const octets = entry.split('.').slice(0, -1);
    const prefix = [...octets, '0', '0', '0'].slice(0, 4).join('.');
    return `${start}: write it as a prefix, ${prefix}/${octets.length * 8}`;
  }
  if (/^[\d.]+\/[\d.]+$/.test(entry)) return `${start}: write its mask as a length, like /24`;
  return `${start}: it is not an address, and names are not looked up`;
}

function isAddressOrHostName(entry: string): boolean {
  return isIP(entry) !== 0 || (entry.length <= 253 && /^[a-z0-9_]([a-z0-9_.-]*)$/i.test(entry));
}
