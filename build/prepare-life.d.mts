export const releases: readonly string[];
export function baseFolder(release: string): string;
