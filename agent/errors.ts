/**
 * One error type and a closed list of codes. A code is the same on the command line, in a reply, in
 * the log and in docs/errors.md (a test compares them), and is never reused for something else.
 */

/** Exit statuses of the command line. */
export const exitStatus = {
  ok: 0,
  internal: 1,
  usage: 2,
  unreachable: 3,
  refused: 4,
  notHeld: 5,
  notEnforced: 6,
  journal: 7,
  config: 8,
  busy: 9,
  unwell: 10,
} as const;

/** Every code, with the exit status that the command line ends with. */
export const errorCodes = {
  'message-invalid': exitStatus.usage,
  'message-too-large': exitStatus.usage,
  'message-incomplete': exitStatus.usage,
  'usage-invalid': exitStatus.usage,
  'address-invalid': exitStatus.usage,
  'address-missing': exitStatus.usage,
  'target-missing': exitStatus.usage,
  'target-invalid': exitStatus.usage,
  'timeout-invalid': exitStatus.usage,
  'response-unknown': exitStatus.usage,
  'target-protected': exitStatus.refused,
  'target-absent': exitStatus.refused,
  'target-changed': exitStatus.refused,
  'prefix-too-wide': exitStatus.refused,
  'not-revertible': exitStatus.refused,
  'not-wanted': exitStatus.refused,
  'script-untrusted': exitStatus.refused,
  'not-held': exitStatus.notHeld,
  'driver-unavailable': exitStatus.notEnforced,
  'driver-failed': exitStatus.notEnforced,
  'driver-timeout': exitStatus.notEnforced,
  'service-failed': exitStatus.notEnforced,
  'self-test-impossible': exitStatus.notEnforced,
  'limit-connections': exitStatus.busy,
  'limit-pending': exitStatus.busy,
  'limit-actions': exitStatus.busy,
  'breaker-open': exitStatus.busy,
  'agent-stopping': exitStatus.busy,
  'agent-unreachable': exitStatus.unreachable,
  'agent-untrusted': exitStatus.unreachable,
  'agent-running': exitStatus.refused,
  'socket-unusable': exitStatus.config,
  'config-invalid': exitStatus.config,
  'state-unusable': exitStatus.journal,
  'journal-damaged': exitStatus.journal,
  'journal-newer': exitStatus.journal,
  'journal-locked': exitStatus.journal,
  'journal-failed': exitStatus.journal,
  internal: exitStatus.internal,
} as const;

export type ErrorCode = keyof typeof errorCodes;

/** An error that its reader can do something about: what happened, to what, and what to do. */
export class ArError extends Error {
  readonly code: ErrorCode;
  /** What to do about it, one sentence. */
  readonly hint: string;

  constructor(code: ErrorCode, message: string, hint: string, options?: ErrorOptions) {
    super(visible(message), options);
    this.name = 'ArError';
    this.code = code;
    this.hint = hint;
  }
}

/** It can quote a stranger, and is shown on terminals, which obey control characters (C1 ones too). */
function visible(message: string): string {
  return message.replace(/(?!\n)\p{Cc}/gu, '?');
}

/** The form in which an error crosses the socket and goes to the log. */
export function describeError(error: unknown): { code: ErrorCode; message: string; hint: string } {
  if (error instanceof ArError) {
    return { code: error.code, message: error.message, hint: error.hint };
  }
  const message = error instanceof Error ? error.message : String(error);
  return { code: 'internal', message, hint: 'This is a fault of ar-exec: please report it.' };
}
