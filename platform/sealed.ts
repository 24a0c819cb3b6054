/**
 * A text that is carried and never seen: whatever prints what it stands in, or writes that as JSON, gets
 * `shown` instead.
 */
export interface Sealed {
  readonly shown: string;
  open(): string;
  toJSON(): string;
  toString(): string;
}

export function sealed(text: string, shown: string): Sealed {
  return { shown, open: () => text, toJSON: () => shown, toString: () => shown };
}
