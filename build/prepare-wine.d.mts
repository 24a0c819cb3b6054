export const wineRoot: string;
export const mountInside: string;
export function prepareWine(say: (text: string) => void): string | undefined;
