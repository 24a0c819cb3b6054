/** What names an action of a script: its keys, or else what the request is about. */
/** Upstream cuts keys at so many bytes (os_execd/execd.c); ours are cut at so many characters. */
const longestKey = 4_095;
const runSuffix = / \(run [0-9a-f]{8}\)$/;

/**
 * The keys in a line of a script, as Wazuh documents it:
 * `{"version":1,"origin":{…},"command":"check_keys","parameters":{"keys":["203.0.113.7"]}}`.
 * Keys that are no strings are passed over. Never throws.
 */
export function keysIn(line: string): readonly string[] | undefined {
  if (!line.includes('check_keys')) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return undefined;
  }
  const message = value as { command?: unknown; parameters?: { keys?: unknown } } | null;
  if (message?.command !== 'check_keys') return undefined;
  const keys = message.parameters?.keys ?? [];
  if (!Array.isArray(keys)) return undefined;
  return keys.filter((key): key is string => typeof key === 'string');
}

/** Keys as the one text that an action is found by: joined as upstream joins them, in one line. */
export function keyText(keys: readonly string[]): string {
  return printable(keys.join('-'));
}

/** One line that can be shown and stored; what cannot is written as `\u001b`. Never empty. */
export function printable(text: string): string {
  const written = text
    .toWellFormed()
    .replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, (one) =>
      [...Array(one.length).keys()]
        .map((index) => `\\u${one.charCodeAt(index).toString(16).padStart(4, '0')}`)
        .join(''),
    );
  return written === '' ? '-' : written.slice(0, longestKey).toWellFormed();
}

/** A name for a run whose keys are not known yet; it ends with the run. */
export function provisional(text: string, run: string): string {
  return `${text} (run ${run.slice(0, 8)})`;
}

/** What the request itself was about, if the name is such a one. */
export function ownText(text: string): string {
  return text.replace(runSuffix, '');
}
