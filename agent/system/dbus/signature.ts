/** One complete type of a D-Bus signature: its code, and what it is made of. */
export interface Type {
  readonly code: string;
  readonly inner: readonly Type[];
}

/** Basic types, by the boundary that their values stand on (D-Bus specification, "Marshalling"). */
const boundaries: Readonly<Record<string, number>> = {
  y: 1,
  g: 1,
  v: 1,
  n: 2,
  q: 2,
  b: 4,
  i: 4,
  u: 4,
  h: 4,
  s: 4,
  o: 4,
  a: 4,
  x: 8,
  t: 8,
  d: 8,
  '(': 8,
  '{': 8,
};

/** The specification allows 32 levels of arrays and 32 of structures. */
const deepest = 64;

export function boundaryOf({ code }: Type): number {
  return boundaries[code] ?? 1;
}

const known = new Map<string, readonly Type[]>();

/** The complete types of a signature, one after the other. Throws when it is none. */
export function parseSignature(signature: string): readonly Type[] {
  const before = known.get(signature);
  if (before !== undefined) return before;
  if (signature.length > 255) throw new Error('a D-Bus signature of more than 255 characters');
  let at = 0;
  const next = (depth: number): Type => {
    const code = signature[at];
    at += 1;
    if (code === undefined || depth > deepest) throw new Error(`no D-Bus signature: ${signature}`);
    if (code === 'a') return { code, inner: [next(depth + 1)] };
    if (code === '(' || code === '{') {
      const end = code === '(' ? ')' : '}';
      const inner: Type[] = [];
      while (signature[at] !== end) inner.push(next(depth + 1));
      at += 1;
      return { code, inner };
    }
    if (boundaries[code] === undefined) throw new Error(`no D-Bus type: ${code}`);
    return { code, inner: [] };
  };
  const types: Type[] = [];
  while (at < signature.length) types.push(next(0));
  if (known.size < 1_000) known.set(signature, types);
  return types;
}
