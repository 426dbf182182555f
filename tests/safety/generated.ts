/**
 * Runs generated statements in batches on the real server. What holds harm must be refused before it is sent; what is
 * ordinary must pass and run; whatever passed, the world stays as it was. SAFETY_SEED repeats a run.
 */
import fc from "fast-check";
import { expect } from "vitest";
import type { World } from "./corpus.js";
import { type Dialect, generate } from "./grammar.js";

/** What became of a statement. */
export interface Outcome {
  /** None when it ran. */
  readonly code?: unknown;
  /** The server's own number of the error; none when the server never saw the statement. */
  readonly serverError?: unknown;
  readonly message?: string;
}

export interface Subject {
  readonly world: World;
  readonly dialect: Dialect;
  run(sql: string): Promise<Outcome>;
  /** The server's errors about values, which no grammar of types foresees. */
  isDataError(outcome: Outcome): boolean;
}

const batchSize = 50;
const lanes = 8;

/** The run's parameters: a seed that is set, or one of its own, which a failure prints. */
export const runParameters = (numRuns: number) => {
  const seed = process.env.SAFETY_SEED;
  return { numRuns, endOnFailure: true, ...(seed === undefined ? {} : { seed: Number(seed) }) };
};

/** @returns how many ordinary ones ran, and how many harmful ones were refused */
export async function runGenerated(subject: Subject, count: number): Promise<{ ran: number; refused: number }> {
  const { world, dialect } = subject;
  const before = await world.state();
  const tally = { ran: 0, refused: 0 };
  const batches = fc.array(fc.noBias(fc.nat(2 ** 31 - 1)), { minLength: batchSize, maxLength: batchSize });
  await fc.assert(
    fc.asyncProperty(batches, async (seeds) => {
      const statements = seeds.map((seed) => generate(dialect, seed));
      const passed: string[] = [];
      await inLanes(statements, async ({ sql, isHarmful }) => {
        const outcome = await subject.run(sql);
        const isSeen = outcome.code === undefined || outcome.serverError !== undefined;
        if (isSeen) passed.push(sql);
        if (isHarmful && isSeen) throw new Error(`harm passed (${JSON.stringify(outcome)}): ${sql}`);
        if (isHarmful) tally.refused++;
        else if (outcome.code === undefined) tally.ran++;
        else if (!subject.isDataError(outcome)) throw new Error(`refused (${JSON.stringify(outcome)}): ${sql}`);
      });
      expect(await world.state(), `one of these: ${passed.join("\n---\n")}`).toBe(before);
    }),
    runParameters(count / batchSize),
  );
  return tally;
}

/** All of them, some at a time. */
export async function inLanes<Item>(items: readonly Item[], act: (item: Item) => Promise<void>): Promise<void> {
  let next = 0;
  const lane = async () => {
    for (let item = items[next++]; item !== undefined; item = items[next++]) await act(item);
  };
  await Promise.all(Array.from({ length: lanes }, lane));
}
