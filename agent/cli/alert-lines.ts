/** A line of a stream, or that there was one that is longer than allowed. */
export type AlertLine = { readonly text: string } | { readonly tooLong: true };

/** The lines of a stream that are not empty; never more than one of them is in memory. */
export async function* linesOf(
  stream: AsyncIterable<Buffer | string>,
  longestBytes: number,
): AsyncGenerator<AlertLine> {
  let rest: Buffer = Buffer.alloc(0);
  let passingOver = false;
  for await (const chunk of stream) {
    let start = 0;
    const fresh = Buffer.from(chunk);
    for (let end = fresh.indexOf('\n'); end !== -1; end = fresh.indexOf('\n', start)) {
      const line = Buffer.concat([rest, fresh.subarray(start, end)]);
      if (!passingOver) yield* lineIn(line, longestBytes);
      passingOver = false;
      rest = Buffer.alloc(0);
      start = end + 1;
    }
    if (passingOver) continue;
    rest = Buffer.concat([rest, fresh.subarray(start)]);
    if (rest.length > longestBytes) {
      passingOver = true;
      rest = Buffer.alloc(0);
      yield { tooLong: true };
    }
  }
  if (!passingOver) yield* lineIn(rest, longestBytes);
}

function* lineIn(line: Buffer, longestBytes: number): Generator<AlertLine> {
  if (line.length > longestBytes) yield { tooLong: true };
  else if (line.toString().trim() !== '') yield { text: line.toString() };
}
