import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const core = (room: string) => fileURLToPath(new URL(`./mcp-core/src/${room}/index.ts`, import.meta.url));

export default defineConfig({
  resolve: {
    alias: {
      "@database-interface/mcp-core/host": core("host"),
      "@database-interface/mcp-core/sql": core("sql"),
      "@database-interface/mcp-core/sample": core("sample"),
      "@database-interface/mcp-core/testing": core("testing"),
    },
  },
  test: {
    include: ["tests/**/*.test.ts"],
    globalSetup: ["tests/support/global-setup.ts"],
    pool: "forks",
    // most tests wait for processes and servers: two keep a small machine busy, and more are for larger ones
    maxWorkers: Math.max(2, availableParallelism() - 1),
    // for machines with more to do: what is promised in time is asserted where it is promised
    testTimeout: 60_000,
    hookTimeout: 120_000,
    teardownTimeout: 20_000,
  },
});
