export const releases: readonly string[];
export function baseFolder(release: string): string;
export function prepareLife(say: (text: string) => void): string | undefined;
