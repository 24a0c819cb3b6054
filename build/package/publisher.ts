/**
 * Who answers for the packages, and where people read about them. Whoever publishes them says so:
 *
 *   AR_EXEC_MAINTAINER='Jane Doe <jane@example.org>' AR_EXEC_HOMEPAGE=https://example.org/ npm run build
 *
 * Without the first it is the author of the commit, so that two builds of one commit are the same. Without
 * the second the packages name no page.
 */
import { spawnSync } from 'node:child_process';

export interface Publisher {
  /** `Name <address>`, as both families of packages want it. */
  readonly maintainer: string;
  readonly homepage?: string | undefined;
}

/** Throws what nobody could be reached by. */
export function publisher(
  environment: Readonly<Record<string, string | undefined>>,
  folder: string,
): Publisher {
  const { AR_EXEC_MAINTAINER: said, AR_EXEC_HOMEPAGE: homepage } = environment;
  const maintainer = said || authorOfCommit(folder);
  // It becomes a line of what dpkg and rpmbuild read.
  if (!/^[^<>%,\p{Cc}]+ <[^<>%\s@]+@[^<>%\s@]+>$/u.test(maintainer)) {
    throw new Error(
      `AR_EXEC_MAINTAINER has to be as in "Jane Doe <jane@example.org>", and is "${maintainer}"`,
    );
  }
  if (homepage && !/^https?:\/\/[^\s%]+$/.test(homepage)) {
    throw new Error(`AR_EXEC_HOMEPAGE has to be an address of the web, and is "${homepage}"`);
  }
  return { maintainer, homepage: homepage || undefined };
}

function authorOfCommit(folder: string): string {
  const options = { cwd: folder, encoding: 'utf8' } as const;
  return (spawnSync('git', ['log', '-1', '--format=%an <%ae>'], options).stdout ?? '').trim();
}
