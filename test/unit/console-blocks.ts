/** What the documentation shows of a terminal: the commands in its `console` blocks, and their output. */
import { globSync, readFileSync } from 'node:fs';

export interface ShownCommand {
  /** As it stands in the page, for the name of a test. */
  readonly line: string;
  /** The words that ar-exec is started with; what a shell does besides (`| tail`, `> file`) left out. */
  readonly words: readonly string[];
  readonly output: readonly string[];
}

export function pages(): string[] {
  return globSync(['*.md', 'docs/**/*.md']).map((path) => path.replaceAll('\\', '/'));
}

/** Every `ar-exec …` that a page shows, with what it printed. */
export function shownCommands(page: string): ShownCommand[] {
  const text = readFileSync(page, 'utf8');
  const blocks = [...text.matchAll(/^```console\n([\s\S]*?)^```$/gm)].map(
    ([, block = '']) => block,
  );
  return blocks.flatMap((block) =>
    block
      .split(/^(?=\$ )/m)
      .map((part) => part.trimEnd().split('\n'))
      .flatMap(([first = '', ...output]) => {
        const line = first.replace(/^\$ /, '').replace(/^ip netns exec \S+ /, '');
        return line.startsWith('ar-exec ') ? [{ line, words: wordsOf(line), output }] : [];
      }),
  );
}

/** Settings, memory and facts that the examples of a driver's page were made with. */
export function exampleSetup(page: string): ExampleSetup {
  const text = readFileSync(page, 'utf8');
  return JSON.parse(/^<!-- examples: (.+) -->$/m.exec(text)?.[1] ?? '{}');
}

export interface ExampleSetup {
  readonly settings?: Readonly<Record<string, string>>;
  readonly memory?: Readonly<Record<string, string>>;
}

/** The words of a line, as a shell would split it: plain words, 'single' and "double" quotes. */
function wordsOf(line: string): string[] {
  const words: string[] = [];
  for (const [, single, double, plain] of line.matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g)) {
    if (plain !== undefined && /^(\d?[<>|&]|;)/.test(plain)) break;
    words.push(single ?? double ?? plain ?? '');
  }
  return words.slice(1);
}
