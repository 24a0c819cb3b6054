import type { WatchEvent } from '../../../platform/driver.ts';

export type OnEvent = (event: WatchEvent) => void;

/** Somebody who listens for one thing. */
export interface Watcher {
  /**
   * Whether nothing that concerns us can have happened unheard since the last event: looks again whether
   * there is something to hear, and tells it.
   */
  hasHeardAll(): Promise<boolean>;
  /** Why it cannot listen now, if so. */
  trouble(): string | undefined;
  /** Whether there is something to lose; who has to look again and again does so only then. */
  held(isHeld: boolean): void;
  stop(): void;
}
