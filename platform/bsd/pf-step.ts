/**
 * Holds or releases a reference that keeps pf enabled (`pfctl -E`, `pfctl -X`, macOS alone). Its token
 * is kept in the file; one that is held already is kept.
 */
export interface PfReferenceStep {
  readonly kind: 'pf-reference';
  /** The file with the token. */
  readonly path: string;
  readonly hold: boolean;
}
