declare const AR_EXEC_VERSION: string | undefined;

/** Put in by the build from package.json. */
export const version: string =
  typeof AR_EXEC_VERSION === 'undefined' ? 'development' : AR_EXEC_VERSION;
