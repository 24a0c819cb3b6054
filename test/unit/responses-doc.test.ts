import { existsSync, globSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { CommandModule } from 'yargs';
import { type ActFlags, toRequest } from '../../agent/cli/act.ts';
import { commands, parseCommandLine } from '../../agent/cli/command-line.ts';
import { stepText } from '../../agent/cli/steps.ts';
import { parseLine } from '../../agent/intake/message.ts';
import { decide } from '../../agent/policy/decide.ts';
import { findResponse, responses } from '../../agent/policy/responses.ts';
import type { Request } from '../../agent/words.ts';
import { command as mend, page, withTables } from '../../build/responses-table.ts';
import { drivers, oneShots } from '../../platform/index.ts';
import type { Step } from '../../platform/step.ts';
import { exampleSetup, pages, type ShownCommand, shownCommands } from './console-blocks.ts';
import { readRows } from './read-table.ts';

const text = readFileSync(page, 'utf8');
const kinds = [...drivers, ...oneShots];

test(`${page} is what "${mend}" makes of the code`, () => {
  expect(withTables(text), `run: ${mend}`).toBe(text);
});

test('every response has a row, and every row a response', () => {
  const rows = readRows(text).filter((row) => row.length === 10 && row[0] !== 'response');
  expect(rows.map(([name]) => name)).toEqual(responses.map(({ name }) => name));
});

test('every name that is answered to is the name of one response only', () => {
  const names = responses.flatMap(({ name, aliases }) => [name, ...(aliases ?? [])]);
  expect(names).toEqual([...new Set(names)]);
});

test('every driver that a response names exists, and every one that exists is named', () => {
  const named = new Set(responses.flatMap((response) => response.drivers));
  expect([...named].sort()).toEqual(kinds.map(({ name }) => name).sort());
});

/** Scripts are found in a folder; a page says how to write one. */
const others = ['script'];

test('every page in docs/drivers/ has its driver', () => {
  const names = globSync('docs/drivers/*.md').map((path) => basename(path, '.md'));
  const known = [...kinds.map(({ name }) => name), ...others];
  expect(names.filter((name) => !known.includes(name))).toEqual([]);
});

describe.each(kinds)('$name', (kind) => {
  const file = `docs/drivers/${kind.name}.md`;

  test('has a page, which begins with its name', () => {
    expect(existsSync(file), `write ${file}`).toBe(true);
    expect(readFileSync(file, 'utf8')).toMatch(new RegExp(`^# \`${kind.name}\`\n`));
  });

  test('says what it is, with options that exist', () => {
    const rows = readRows(readFileSync('docs/configuration.md', 'utf8')).map(([name]) => name);
    expect(kind.about?.systems).not.toEqual([]);
    expect(kind.about?.options.filter((option) => !rows.includes(option))).toEqual([]);
    const reverts = drivers.some(({ name }) => name === kind.name);
    expect(kind.about?.remove !== undefined, 'what it does on delete').toBe(reverts);
  });

  test('shows on its page what it runs', async () => {
    const shown = shownCommands(file).filter(({ words }) => words.includes('--dry-run'));
    expect(shown.map(({ words: [verb] }) => verb)).toContain('add');
    for (const one of shown) {
      const plans = await plansOf(kind.name, one, exampleSetup(file));
      const printed = one.output.filter((line) => !line.startsWith('ar-exec: ')).join('\n');
      // What nothing names has a name of its own each time.
      const unnamed = printed.replace(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, 'name');
      // What has to be set up first stands before; it depends on the machine.
      const fits = plans.some(
        (steps) =>
          steps.length > 0 &&
          [printed, unnamed].some((text) => text.endsWith(steps.map(stepText).join('\n'))),
      );
      expect(fits, `${one.line}\n${printed}\nis none of\n${JSON.stringify(plans)}`).toBe(true);
    }
  });
});

describe.each(pages().filter((one) => shownCommands(one).length > 0))('%s', (one) => {
  test.each(shownCommands(one))('shows a command line that is understood: $line', async (shown) => {
    await expect(flagsOf(shown)).resolves.toBeDefined();
  });
});

/** What the driver could mean by the plan of a command: the very first, others, or to move the end of what stands. */
async function plansOf(
  driver: string,
  shown: ShownCommand,
  { settings, memory }: ReturnType<typeof exampleSetup>,
): Promise<(readonly Step[])[]> {
  const request = await requestOf(shown);
  const guard = { check: () => {}, meets: () => undefined };
  const definition = findResponse(request.response);
  const { target, facts } = decide(request, {
    definition,
    guard,
    essential: [],
    system: isForWindowsAlone(driver) ? 'win32' : 'linux',
    newName: () => 'name',
  });
  expect(definition?.drivers, `${request.response} is not carried out by ${driver}`).toContain(
    driver,
  );
  const oneShot = oneShots.find(({ name }) => name === driver);
  if (oneShot !== undefined) {
    return [oneShot.make({ ...oneShot.defaults, ...settings }).perform(target, facts ?? {}).steps];
  }
  const kind = drivers.find(({ name }) => name === driver);
  if (kind === undefined) throw new Error(`there is no ${driver}`);
  const made = kind.make({ ...kind.defaults, ...settings });
  if (request.verb === 'delete') return [made.revert([{ target, memory }])];
  const { timeoutSeconds: seconds } = request;
  const expiresInMs = seconds === undefined ? undefined : seconds * 1_000;
  const effect = { target, memory, facts, expiresInMs };
  const first = made.inspect.read(
    (untouched[driver] ?? []).map((stdout) => ({ stdout, stderr: '' })),
  );
  const container = made.container(target);
  return [
    (first.known && container && first.rebuild?.([container], [effect])) || [],
    made.apply([effect]),
    made.apply([{ ...effect, standing: true }]),
  ];
}

/** What a machine says to `inspect` on which nothing of ours stands, for drivers that plan the first block by it. */
const emptyTables = ['*mangle\nCOMMIT\n', '*mangle\nCOMMIT\n', 'TCP6: inuse 1\n'];
const untouched: Readonly<Record<string, readonly string[]>> = {
  nftables: ['{"nftables": []}', ''],
  iptables: emptyTables,
  ipset: [...emptyTables, ''],
};

function isForWindowsAlone(name: string): boolean {
  const kind = [...drivers, ...oneShots].find((one) => one.name === name);
  return kind?.about?.systems.every((system) => system === 'Windows') === true;
}

async function requestOf(shown: ShownCommand): Promise<Request> {
  const { verb, flags } = await flagsOf(shown);
  if (verb !== 'add' && verb !== 'delete') throw new Error(`${shown.line} asks for no response`);
  const message = parseLine(JSON.stringify(toRequest(verb, flags as ActFlags)));
  if ('error' in message) throw message.error;
  if (message.ask.kind !== 'act') throw new Error(`${shown.line} asks for no response`);
  return message.ask.request;
}

/** What the command line understands, without doing it. */
async function flagsOf({ words }: ShownCommand): Promise<{ verb: string; flags: unknown }> {
  let flags: unknown;
  const deaf = commands.map((one) => ({
    ...one,
    handler: (given: unknown) => {
      flags = given;
    },
  })) as CommandModule<object, never>[];
  await parseCommandLine(words, deaf);
  return { verb: words[0] ?? '', flags };
}
