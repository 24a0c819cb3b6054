/** A line for each thing that happens: when, whether it is as it should be, who, and what. */
export interface Timeline {
  /** Something happened. */
  tell(who: string, what: string): void;
  /** Something has to be so; throws `NotSo` if it is not. */
  check(so: boolean, who: string, what: string): void;
  /** Text that belongs to the line before, cut to the width of the terminal. */
  show(text: string): void;
}

/** The line that tells what was not so has been printed. */
export class NotSo extends Error {}

const whoWidth = 9;
const indent = ' '.repeat(12);

/** Times count from now on. `interrupted` is asked before every line; an interrupted story ends. */
export function createTimeline(interrupted: () => boolean): Timeline {
  const startedAt = performance.now();
  const colour = process.stdout.isTTY === true && process.env['NO_COLOR'] === undefined;
  const width = Math.max(80, process.stdout.columns ?? 160);
  const paint = (code: number, text: string): string =>
    colour ? `\u001b[${code}m${text}\u001b[0m` : text;

  const line = (mark: string, who: string, what: string): void => {
    if (interrupted()) throw new Error('interrupted');
    const ms = String(Math.round(performance.now() - startedAt)).padStart(6);
    process.stdout.write(
      `${paint(2, `${ms} ms`)}  ${mark} ${paint(1, who.padEnd(whoWidth))}  ${what}\n`,
    );
  };

  return {
    tell: (who, what) => line(paint(2, '·'), who, what),
    check: (so, who, what) => {
      line(so ? paint(32, '✓') : paint(31, '✗'), who, so ? what : `NOT SO: ${what}`);
      if (!so) throw new NotSo(what);
    },
    show: (text) => {
      for (const one of text.split('\n')) {
        const room = width - indent.length;
        const cut = one.length > room ? `${one.slice(0, room - 1)}…` : one;
        process.stdout.write(`${indent}${paint(2, cut)}\n`);
      }
    },
  };
}
