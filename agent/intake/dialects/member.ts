/** Reads data of strangers, of which nothing is certain. */
export function member(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, name)
    ? (value as Record<string, unknown>)[name]
    : undefined;
}

export function textAt(value: unknown, name: string): string | undefined {
  const found = member(value, name);
  return isText(found) ? found : undefined;
}

export function scalarAt(value: unknown, name: string): string | undefined {
  const found = member(value, name);
  return isScalar(found) ? String(found).slice(0, 64) : undefined;
}

export function isText(value: unknown): value is string {
  return typeof value === 'string';
}

function isScalar(value: unknown): value is string | number {
  return typeof value === 'string' || typeof value === 'number';
}
