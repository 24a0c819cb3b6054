/**
 * The line that Wazuh's own pf and netsh write when the firewall that they would use is off. A manager's
 * rule 658 makes an alert of it ("may not have an effect because the firewall is inactive").
 */

const message = 'Active response may not have an effect';

/** For a reason that a response failed with: a line or none. */
export function inactiveLines(reason: string): string[] {
  if (/not enforced: [^;]*\bWindows firewall\b/.test(reason)) {
    const firewall = Object.fromEntries(
      ['DOMAIN', 'PRIVATE', 'PUBLIC'].flatMap((name, index) => [
        [`profile${index + 1}`, `FIREWALL_${name}`],
        [`status${index + 1}`, 'inactive'],
      ]),
    );
    return [JSON.stringify({ message, firewall, status: 'inactive', script: 'netsh' })];
  }
  return /not enforced: pf is disabled/.test(reason)
    ? [JSON.stringify({ message, profile: 'default', status: 'inactive', script: 'pf' })]
    : [];
}
