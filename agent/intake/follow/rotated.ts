/**
 * Where the lines of a file are that has been rotated: renamed, copied and cut off, or, as a Wazuh
 * manager does it, a new file linked in its place, with the days' files below it
 * (`2026/Nov/ossec-alerts-21.json`).
 */
import { readdir, stat } from 'node:fs/promises';
import { dirname, join, parse } from 'node:path';
import type { FollowedPosition } from '../../words.ts';
import {
  numberOf,
  openTail,
  type Tail,
  type TailOptions,
  type Written,
  writtenOf,
} from './tail.ts';

interface Candidate {
  readonly path: string;
  readonly file: string;
  readonly size: number;
  readonly written: Written;
}

/** Folders of a year and of a month, as a Wazuh manager names them. */
const datedFolder = /^(?:\d{4}|[A-Z][a-z]{2})$/;
const compressed = /\.(?:gz|bz2|xz|zst|lz4|zip|Z)$/;
/** Of the folders of a place, the newest; a year has twelve months. */
const foldersAtMost = 24;
const candidatesAtMost = 2_000;

/** Opens the file among those beside `path` that has what comes after a position. */
export async function openRest(
  path: string,
  position: FollowedPosition,
  options: Omit<TailOptions, 'from'>,
): Promise<Tail | undefined> {
  const found = (await candidates(path)).filter(({ size }) => size >= position.offset);
  const [same, others] = [
    found.filter(({ file }) => file === position.file),
    found.filter(({ file }) => file !== position.file),
  ];
  for (const candidate of [...same, ...others]) {
    const tail = await openTail(candidate.path, { ...options, from: position });
    if (tail !== undefined) return tail;
  }
  return undefined;
}

/**
 * Opens the file that came after one that was read to its end: the oldest of those that were written
 * later and are no copy of it, or else the one that `path` names now.
 */
export async function openNext(
  path: string,
  last: Tail,
  options: Omit<TailOptions, 'from'>,
): Promise<Tail | undefined> {
  const current = await openTail(path, options);
  const written = await last.written();
  const position = last.position();
  const later = (await candidates(path))
    .filter((one) => inTime(one.written, written) > 0)
    .filter(({ file }) => file !== last.file && file !== current?.file)
    .sort((a, b) => inTime(a.written, b.written));
  for (const candidate of later) {
    const copy = await openTail(candidate.path, { ...options, from: position });
    await copy?.close();
    if (copy !== undefined) continue;
    const tail = await openTail(candidate.path, options);
    if (tail === undefined) continue;
    await current?.close();
    return tail;
  }
  return current;
}

/** Which of two is the later one; where a clock is too coarse to tell, the one that was made later. */
function inTime(a: Written, b: Written): number {
  const difference = a.at === b.at ? a.born - b.born : a.at - b.at;
  return Number(difference);
}

/** What may have been `path` before: one entry a file, however many names it has. */
async function candidates(path: string): Promise<Candidate[]> {
  const { name, ext } = parse(path);
  const isRotated = (one: string): boolean =>
    one.startsWith(name) && one.includes(ext) && !compressed.test(one);
  const isOfADay = (one: string): boolean => one.endsWith(ext);
  const folder = dirname(path);
  const beside = await namesIn(folder);
  const below = await datedFolders(folder, beside);
  const paths = [
    ...beside.filter(isRotated).map((one) => join(folder, one)),
    ...(await Promise.all(below.map(async (one) => inFolder(one, isOfADay)))).flat(),
  ].slice(0, candidatesAtMost);
  const found = (await Promise.all(paths.map(describe))).flatMap((one) => one ?? []);
  return [...new Map(found.map((one) => [one.file, one])).values()];
}

async function datedFolders(folder: string, names: readonly string[]): Promise<string[]> {
  const years = names
    .filter((one) => datedFolder.test(one))
    .sort()
    .slice(-2);
  const months = await Promise.all(
    years.map((year) => inFolder(join(folder, year), (one) => datedFolder.test(one))),
  );
  return months.flat().slice(-foldersAtMost);
}

async function inFolder(folder: string, fits: (name: string) => boolean): Promise<string[]> {
  return (await namesIn(folder)).filter(fits).map((name) => join(folder, name));
}

async function namesIn(folder: string): Promise<string[]> {
  return readdir(folder).catch(() => []);
}

async function describe(path: string): Promise<Candidate | undefined> {
  const found = await stat(path, { bigint: true }).catch(() => undefined);
  if (found === undefined || !found.isFile()) return undefined;
  return {
    path,
    file: numberOf(found),
    size: Number(found.size),
    written: writtenOf(found),
  };
}
