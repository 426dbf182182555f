/**
 * The conformance suite as named cases for any test runner: each opens the database under test by itself, on tables that
 * the first one makes. A database that passes behaves as the tools, results and limits rely on.
 */
import type { SourceConfig } from "../sql/database.js";
import { catalogCases } from "./cases/catalog.js";
import { cursorCases } from "./cases/cursors.js";
import { errorCases } from "./cases/errors.js";
import { lifetimeCases } from "./cases/lifetime.js";
import { limitCases } from "./cases/limits.js";
import { readingCases } from "./cases/reading.js";
import { safetyCases } from "./cases/safety.js";
import { fixtureScript } from "./fixture.js";
import type { ConformanceTarget, TargetCase } from "./target.js";

/** One rule and its proof. */
export interface ConformanceCase {
  /** The rule, in words. */
  readonly name: string;
  /** Rejects when the database breaks the rule. Takes a minute at most. */
  run(): Promise<void>;
}

/**
 * All cases, to be run one after the other. `target` is called when the first one runs and once only.
 *
 * @example for (const { name, run } of databaseConformance(() => target)) test(name, run);
 */
export function databaseConformance<Config extends SourceConfig>(
  target: () => ConformanceTarget<Config> | Promise<ConformanceTarget<Config>>,
): readonly ConformanceCase[] {
  let prepared: Promise<ConformanceTarget> | undefined;
  const prepare = async (): Promise<ConformanceTarget> => {
    const given = await target();
    await given.run(fixtureScript);
    return given as ConformanceTarget; // the cases only hand the kind's own configs back to it
  };
  const all: readonly TargetCase[] = [
    ...readingCases,
    ...limitCases,
    ...safetyCases,
    ...cursorCases,
    ...errorCases,
    ...catalogCases,
    ...lifetimeCases,
  ];
  return all.map(([name, run]) => ({
    name,
    async run() {
      prepared ??= prepare();
      await run(await prepared);
    },
  }));
}
