/**
 * What upstream's executables take for an address or a user, safe or not: what they do not take, they
 * refuse before their handshake. Whether it is acted on is decided by the agent, which is stricter.
 */
import { isIP } from 'node:net';

/** As getaddrinfo does with AI_NUMERICHOST: `127.1`, `0x7f000001` and `010.0.0.1` too. */
export function takesAddress(text: string): boolean {
  return isIP(text) !== 0 || isShortForm(text);
}

/** inet_aton(3): up to four parts, each decimal, octal or hexadecimal; the last one fills the rest. */
function isShortForm(text: string): boolean {
  const parts = text.split('.');
  if (parts.length > 4) return false;
  return parts.every((part, index) => {
    const value = numberOf(part);
    return value < (index < parts.length - 1 ? 256 : 256 ** (5 - parts.length));
  });
}

/** NaN for what is no number to inet_aton. */
function numberOf(part: string): number {
  if (/^0[xX][0-9a-fA-F]*$/.test(part)) return Number.parseInt(`0${part.slice(2)}`, 16);
  if (/^0[0-7]*$/.test(part)) return Number.parseInt(part, 8);
  return /^[1-9][0-9]*$/.test(part) ? Number(part) : Number.NaN;
}

/** Wazuh 4.14.7: nothing that passwd could take for an option or a path, and not root. */
export function takesUser(text: string): boolean {
  return (
    text !== 'root' && text.length <= 256 && /^[^-+~:,/\\\p{Cc}\s][^:,/\\\p{Cc}\s]*$/u.test(text)
  );
}
