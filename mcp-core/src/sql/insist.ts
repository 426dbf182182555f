/** Asks again what may have gone unheard. */
import { setTimeout as sleep } from "node:timers/promises";

/** Before the first repetition; each pause is twice as long as the one before. */
const firstPauseMs = 50;

/**
 * Repeats a request to stop a statement for as long as it runs. A server that is just between two messages of the
 * statement, or still busy with what was sent before it, takes one such request for done, without a word.
 */
export async function insist(request: () => Promise<void>, isRunning: () => boolean): Promise<void> {
  for (let pauseMs = firstPauseMs; isRunning(); pauseMs *= 2) {
    await request();
    if (isRunning()) await sleep(pauseMs);
  }
}
