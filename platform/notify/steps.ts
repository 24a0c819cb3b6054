/** What a notification wants done, as data. Secrets are named in it, or sealed, and never written. */
import type { Sealed } from '../sealed.ts';

/**
 * One HTTP request, by TLS unless the configuration allows otherwise; no redirects are followed. An
 * answer of 200 to 299 is a success. `deadlineMs` is for all of it.
 */
export interface HttpRequestStep {
  readonly kind: 'http-request';
  readonly method: 'POST';
  /** The notification of the configuration whose secrets, proxy and certificates are taken. */
  readonly notification: string;
  /** Where to; absent: the address that the notification keeps secret. */
  readonly url?: string | Sealed;
  /**
   * How the notification's secret token goes along: as `Authorization: Bearer`, as the four keys of an
   * OAuth 1.0a signature (RFC 5849), or as the member `routing_key` of the body, which is JSON.
   */
  readonly secret?: 'bearer' | 'oauth1' | 'routing_key';
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly deadlineMs: number;
}

/** One mail to a mail server. The password of `user` is the notification's. */
export interface SendMailStep {
  readonly kind: 'send-mail';
  readonly notification: string;
  readonly host: string;
  readonly port: number;
  /** `starttls` and `tls` are insisted on. */
  readonly security: 'starttls' | 'tls' | 'none';
  readonly user?: string;
  /** What this machine calls itself. */
  readonly name: string;
  readonly from: string;
  readonly to: readonly string[];
  readonly subject: string;
  readonly text: string;
  readonly messageId: string;
  readonly deadlineMs: number;
}
