/** Work on many things, some at a time. */

/** Results in the order of the things; the first failure ends it, and what has begun is waited for. */
export async function inParallel<T, R>(
  things: readonly T[],
  atATime: number,
  work: (thing: T) => Promise<R>,
): Promise<R[]> {
  const results: R[] = [];
  let next = 0;
  let failed = false;
  async function worker(): Promise<void> {
    while (!failed) {
      const index = next;
      next += 1;
      const thing = things[index];
      if (thing === undefined) return;
      try {
        results[index] = await work(thing);
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  }
  const ended = await Promise.allSettled(Array.from({ length: Math.min(atATime, things.length) }, worker));
  const broken = ended.find((one) => one.status === "rejected");
  if (broken !== undefined) throw broken.reason;
  return results;
}
