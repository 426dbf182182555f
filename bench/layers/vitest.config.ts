/**
 * `npx vitest run --config bench/layers/vitest.config.ts`: a table, not a test of the suite; it takes most of an hour.
 * Drivers whose session is cut reject besides what nobody waits for.
 */
import { defineConfig, mergeConfig } from "vitest/config";
import suite from "../../vitest.config.js";

export default mergeConfig(
  { ...suite, test: { ...suite.test, include: [], globalSetup: [] } },
  defineConfig({
    test: { include: ["bench/layers/*.test.ts"], testTimeout: 7_200_000, dangerouslyIgnoreUnhandledErrors: true },
  }),
);
