import { getCACertificates } from 'node:tls';
import type { SendMailStep, StepResult } from '../../../platform/step.ts';
import type { Endpoint, Endpoints } from '../../words.ts';
import { failureOf } from './failure.ts';
import { redactor } from './redact.ts';

const wordsCharacters = 200;

/** Makes the function that sends a mail, with the password that `endpoints` has at that moment. */
export function createMailer(endpoints: Endpoints): (step: SendMailStep) => Promise<StepResult> {
  return async (step) => {
    let endpoint: Endpoint;
    try {
      endpoint = await endpoints(step.notification);
    } catch (error) {
      const stderr = error instanceof Error ? error.message : String(error);
      return { failure: 'missing', stdout: '', stderr };
    }
    if (step.user !== undefined && endpoint.token === undefined) {
      const stderr = `${step.notification} has no password any more`;
      return { failure: 'missing', stdout: '', stderr };
    }
    const deadline = new AbortController();
    const timer = setTimeout(() => deadline.abort(), step.deadlineMs);
    try {
      await send(step, endpoint, deadline.signal);
      return { stdout: '', stderr: '' };
    } catch (error) {
      return deadline.signal.aborted ? late(step) : resultOf(error, step, endpoint);
    } finally {
      clearTimeout(timer);
    }
  };
}

async function send(step: SendMailStep, endpoint: Endpoint, signal: AbortSignal): Promise<void> {
  // Loaded for the first mail only: an agent that sends none does not pay for it.
  const { createTransport } = await import('nodemailer');
  const { host, port, security, user, name, deadlineMs } = step;
  const { certificates, token = '' } = endpoint;
  const transport = createTransport({
    host,
    port,
    name,
    secure: security === 'tls',
    requireTLS: security === 'starttls',
    ignoreTLS: security === 'none',
    ...(user === undefined ? {} : { auth: { user, pass: token } }),
    tls: certificates === undefined ? {} : { ca: [...getCACertificates(), certificates] },
    connectionTimeout: deadlineMs,
    greetingTimeout: deadlineMs,
    socketTimeout: deadlineMs,
    dnsTimeout: deadlineMs,
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  try {
    await transport.sendMail({
      from: { name: 'ar-exec', address: step.from },
      to: step.to.map((address) => ({ name: '', address })),
      envelope: { from: step.from, to: [...step.to] },
      subject: step.subject,
      text: step.text,
      messageId: step.messageId,
      headers: { 'Auto-Submitted': 'auto-generated' },
      disableFileAccess: true,
      disableUrlAccess: true,
      signal,
    });
  } finally {
    transport.close();
  }
}

/** nodemailer's errors have the server's status, or a code of its own and that of the system. */
function resultOf(error: unknown, step: SendMailStep, endpoint: Endpoint): StepResult {
  const where = `${step.host}:${step.port}`;
  const { code, originalCode, responseCode, response } = error as Record<string, unknown>;
  if (code === 'ETLS' && originalCode === undefined) {
    const stderr = `${where} was not sent anything: it does not offer STARTTLS`;
    return { failure: 'io', stdout: '', stderr };
  }
  if (typeof responseCode !== 'number') return failureOf(error, where);
  const { token = '' } = endpoint;
  // As it is sent for a login, too.
  const login = Buffer.from(`\0${step.user ?? ''}\0${token}`).toString('base64');
  const redact = redactor([token, login, Buffer.from(token).toString('base64')], []);
  const line = redact(String(response ?? ''))
    .replace(/[\s\p{Cc}\p{Cf}]+/gu, ' ')
    .trim();
  const stderr = `${where} answered ${line.slice(0, wordsCharacters) || responseCode}`;
  return { failure: 'answer', status: responseCode, stdout: '', stderr };
}

function late({ host, port, deadlineMs }: SendMailStep): StepResult {
  const stderr = `${host}:${port} did not take it within ${deadlineMs / 1_000} s`;
  return { failure: 'timeout', stdout: '', stderr };
}
