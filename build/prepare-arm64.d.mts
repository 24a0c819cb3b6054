export const onArm64: readonly string[];
export function prepareArm64(say: (text: string) => void): string | undefined;
