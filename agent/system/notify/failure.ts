/** Why nothing came back, in words; never what Node says, which can have an address in it. */
import type { StepResult } from '../../../platform/step.ts';
import { ProxyRefused } from './connect.ts';

/** Node's and OpenSSL's codes (https://nodejs.org/api/tls.html#x509-certificate-error-codes). */
const meanings: Readonly<Record<string, string>> = {
  ENOTFOUND: 'its name is not known',
  EDNS: 'its name is not known',
  EAI_AGAIN: 'its name cannot be looked up now',
  ECONNREFUSED: 'it takes no connections there',
  ECONNRESET: 'it broke the connection off',
  EPIPE: 'it broke the connection off',
  EHOSTUNREACH: 'there is no way to it',
  ENETUNREACH: 'there is no way to it',
  ETIMEDOUT: 'it did not answer in time',
  CERT_HAS_EXPIRED: 'its certificate has expired',
  CERT_NOT_YET_VALID: 'its certificate is not valid yet',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate is self-signed and not trusted here',
  SELF_SIGNED_CERT_IN_CHAIN: 'the authority of its certificate is not trusted here',
  UNABLE_TO_GET_ISSUER_CERT: 'the authority of its certificate is not known here',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'the authority of its certificate is not known here',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'the authority of its certificate is not known here',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for another name',
  EPROTO: 'it does not speak TLS there, or not as we do',
};

const certificateCodes = /CERT|ISSUER|LEAF|SELF_SIGNED/;

/** `where` is what was to be reached: a host and perhaps a port. */
export function failureOf(error: unknown, where: string): StepResult {
  if (error instanceof ProxyRefused) {
    return io(`${where} was not reached: ${error.message}`);
  }
  const code = codeOf(error);
  const meaning = meanings[code] ?? (code.startsWith('ERR_SSL') ? meanings['EPROTO'] : undefined);
  const advice = certificateCodes.test(code) ? '; see ca_file' : '';
  return io(`${where} was not reached: ${meaning ?? 'the connection failed'} (${code})${advice}`);
}

function io(stderr: string): StepResult {
  return { failure: 'io', stdout: '', stderr };
}

/** Several addresses tried in vain have the code of the first; nodemailer keeps the system's apart. */
function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown';
  const { code = '', originalCode = code } = error as { code?: unknown; originalCode?: unknown };
  return known(String(originalCode)) ?? error.name;
}

function known(code: string): string | undefined {
  return /^[A-Z0-9_]{1,60}$/.test(code) ? code : undefined;
}
