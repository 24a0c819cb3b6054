/**
 * The tables of docs/responses.md, made from what the code itself says of responses and drivers.
 *
 *   npm run docs                 writes them between the two marks of the page
 *
 * test/unit/responses-doc.test.ts compares, so that a page that lags behind fails.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { type ResponseDefinition, responses } from '../agent/policy/responses.ts';
import type { About, DriverKind, OneShotKind } from '../platform/driver.ts';
import { drivers, oneShots } from '../platform/index.ts';

export const page = 'docs/responses.md';
export const command = 'npm run docs';

const begin = `<!-- Made by "${command}" from agent/policy/responses.ts and platform/: change those. -->`;
const end = '<!-- The end of what is made. -->';

const targets: Record<ResponseDefinition['target'], string> = {
  address: 'an address or a prefix',
  user: 'an account',
  process: 'a process',
  file: 'a file',
  named: 'nothing on the machine',
};

if (import.meta.main) {
  const text = readFileSync(page, 'utf8');
  writeFileSync(page, withTables(text));
}

/** The text of the page with its tables as they have to be. */
export function withTables(text: string): string {
  const [from, to] = [text.indexOf(begin), text.indexOf(end)];
  if (from === -1 || to < from)
    throw new Error(`${page} has lost one of its marks: ${begin} ${end}`);
  const tables = `${responsesTable()}\n\n${endsTable()}`;
  return `${text.slice(0, from + begin.length)}\n\n${tables}\n\n${text.slice(to)}`;
}

function responsesTable(): string {
  return table(
    [
      'response',
      'what it does',
      'acts on',
      'kept',
      'by, in order of preference',
      'on add',
      'on delete',
      'systems',
      'options',
      'answers to, besides',
    ],
    responses.map(rowOf),
  );
}

function rowOf(response: ResponseDefinition): string[] {
  const kinds = response.drivers.map(kindOf);
  const abouts = kinds.map(aboutOf);
  return [
    code(response.name),
    response.summary,
    targets[response.target],
    response.stateful ? 'until its end' : 'done once',
    lines(kinds.map(({ name }) => `[${name}](drivers/${name}.md)`)),
    lines(abouts.map(({ add }) => add)),
    lines(abouts.map(({ remove }) => remove ?? '–')),
    unique(abouts.flatMap(({ systems }) => systems)).join(', '),
    unique(abouts.flatMap(({ options }) => options))
      .map(code)
      .join(', ') || '–',
    (response.aliases ?? []).map(code).join(', ') || '–',
  ];
}

/** Whether an effect ends without ar-exec, by the driver's own traits. */
function endsTable(): string {
  const rows = drivers.map((kind) => {
    const { selfExpiring, longestExpiryMs } = kind.make(kind.defaults).traits;
    const ends = selfExpiring
      ? `yes${longestExpiryMs === undefined ? '' : `, up to ${days(longestExpiryMs)}`}`
      : 'no';
    return [`[${kind.name}](drivers/${kind.name}.md)`, ends];
  });
  return table(['driver', 'the machine ends an effect by itself'], rows);
}

function kindOf(name: string): DriverKind | OneShotKind {
  const kind = [...drivers, ...oneShots].find((one) => one.name === name);
  if (kind === undefined) throw new Error(`platform/index.ts has no driver ${name}`);
  return kind;
}

function aboutOf({ name, about }: DriverKind | OneShotKind): About {
  if (about === undefined) throw new Error(`${name} says nothing of itself: give it "about"`);
  return about;
}

/** What is the same for all of them is said once. */
function lines(cells: readonly string[]): string {
  return (unique(cells).length === 1 ? unique(cells) : cells).join('<br>');
}

function unique(words: readonly string[]): string[] {
  return [...new Set(words)];
}

function code(word: string): string {
  return `\`${word}\``;
}

function table(headings: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(headings), line(headings.map(() => '---')), ...rows.map(line)].join('\n');
}

function days(ms: number): string {
  const hours = Math.floor(ms / 3_600_000);
  const whole = Math.floor(hours / 24).toLocaleString('en-GB');
  return hours % 24 === 0 ? `${whole} days` : `${whole} days and ${hours % 24} hours`;
}
