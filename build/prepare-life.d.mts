export const releases: readonly string[];
export function baseFolder(release: string): string;
export function initFolder(init: 'openrc' | 'sysv'): string;
export function prepareLife(say: (text: string) => void): string | undefined;
