/** The elements of our sets as nft lists them, and which set a target belongs into. */
import type { FoundEffect } from '../driver.ts';
import { parsePrinted } from '../printed.ts';
import { type AddressTarget, isHost } from '../target.ts';

/** The set a target lives in: `hosts4`, `nets4-24`, `hosts6`, `nets6-48` … */
export function setOf(target: AddressTarget): string {
  return isHost(target) ? `hosts${target.family}` : `nets${target.family}-${target.prefixLength}`;
}

/** Elements are a bare value, or an object around it once they have a timeout. */
export function readElement(set: string, element: unknown): FoundEffect<AddressTarget> | undefined {
  if (typeof element !== 'object' || element === null) return found(set, element);
  if (!('elem' in element)) return found(set, element);
  const { val, timeout, expires } = element.elem as {
    val?: unknown;
    timeout?: number;
    expires?: number;
  };
  const target = found(set, val);
  if (target === undefined || timeout === undefined) return target;
  return { ...target, expiresInMs: (expires ?? timeout) * 1_000 };
}

function found(set: string, value: unknown): FoundEffect<AddressTarget> | undefined {
  const length = /^nets[46]-(\d+)$/.exec(set)?.[1];
  const text = typeof value === 'string' ? value : prefixText(value, length);
  if (text === undefined) return undefined;
  const target = parsePrinted(text);
  return target === undefined || setOf(target) !== set ? undefined : { target };
}

/** Prefixes are listed as such, or by older versions as a range from the first to the last address. */
function prefixText(value: unknown, length: string | undefined): string | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  if ('prefix' in value) {
    const { addr, len } = value.prefix as { addr?: string; len?: number };
    return `${addr}/${len}`;
  }
  if ('range' in value && length !== undefined) {
    return `${(value.range as [string, string])[0]}/${length}`;
  }
  return undefined;
}
