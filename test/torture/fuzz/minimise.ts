/** Takes away from an input what can go without it losing what it shows, in ever smaller pieces. */
export function minimise(input: Buffer, shows: (input: Buffer) => boolean): Buffer {
  let small = input;
  const until = performance.now() + 5_000;
  for (let piece = small.length >> 1; piece > 0; piece >>= 1) {
    for (let at = 0; at < small.length && performance.now() < until; ) {
      const without = Buffer.concat([small.subarray(0, at), small.subarray(at + piece)]);
      if (shows(without)) small = without;
      else at += piece;
    }
  }
  return small;
}
