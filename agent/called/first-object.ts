/**
 * The JSON object that a line begins with, read as generously as upstream's library reads it (cJSON):
 * spaces or a byte order mark before it, anything behind it, control characters as they are.
 */
export function firstObject(line: string): object | undefined {
  return asObject(parse(line)) ?? asObject(parse(cutOut(line)));
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function asObject(value: unknown): object | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : undefined;
}

/** From the first brace to the one that closes it, with control characters as JSON wants them. */
function cutOut(line: string): string {
  const start = /^\ufeff?[\0-\x20]*\{/.exec(line)?.[0].length;
  if (start === undefined) return '';
  let text = '{';
  let depth = 1;
  let inString = false;
  for (let at = start; at < line.length && depth > 0; at += 1) {
    const one = line.charAt(at);
    if (one === '"') inString = !inString;
    else if (!inString && (one === '{' || one === '[')) depth += 1;
    else if (!inString && (one === '}' || one === ']')) depth -= 1;
    if (one === '\\' && inString) {
      at += 1;
      text += one + line.charAt(at);
    } else text += one < ' ' ? spelled(one, inString) : one;
  }
  return text;
}

function spelled(control: string, inString: boolean): string {
  return inString ? `\\u${control.charCodeAt(0).toString(16).padStart(4, '0')}` : ' ';
}
