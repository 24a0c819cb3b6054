/** The way to native code (docs/decisions/0018-datagrams.md); the only place that opens it. */

export type Ffi = typeof import('node:ffi');

/**
 * What `use` makes of it. The module says of itself that it is experimental, which nobody who runs the
 * agent has to know. Throws where this Node has no such module, and what `use` throws.
 */
export function withFfi<Result>(use: (ffi: Ffi) => Result): Result {
  const { emitWarning } = process;
  process.emitWarning = () => {};
  try {
    const ffi: Ffi | undefined = process.getBuiltinModule('node:ffi');
    if (ffi === undefined) throw new Error('this Node calls no native code (node:ffi)');
    return use(ffi);
  } finally {
    process.emitWarning = emitWarning;
  }
}
