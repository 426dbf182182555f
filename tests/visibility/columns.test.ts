/** Hidden columns stay out of reach however a statement asks, on each engine, and the rest runs. */
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { everythingOf } from "./everything.js";
import { mysqlWorld } from "./mysql-world.js";
import { postgresWorld } from "./postgres-world.js";
import { canary, type OpenWorld, openWorld } from "./world.js";

describe.each([postgresWorld, mysqlWorld])("$engine", (rows) => {
  let world: OpenWorld;
  beforeAll(async () => {
    world = await openWorld(rows);
  });
  afterAll(() => world?.[Symbol.asyncDispose]());

  describe("denied columns", () => {
    const denying = { deny: rows.deny };

    test.each(rows.evasions)("%s", async (sql) => {
      await using source = world.open(denying);
      const { text, error } = await everythingOf(source, world.named(sql));
      expect(text).not.toContain(canary);
      expect(error).toBeDefined();
    });

    test.each(rows.emptied)("%s", async (sql) => {
      await using source = world.open(denying);
      const { text, read } = await everythingOf(source, world.named(sql));
      expect(text).not.toContain(canary);
      expect(read?.rows).toEqual([]);
    });

    test.each(rows.harmless)("%s runs", async (sql, columns) => {
      await using source = world.open(denying);
      const { read, error, text } = await everythingOf(source, world.named(sql));
      expect(error).toBeUndefined();
      if (columns !== "") expect(read?.columns.map(({ name }) => name.toLowerCase()).join()).toBe(columns);
      expect(read?.rows.length).toBeGreaterThan(0);
      if (!/^(SHOW|DESCRIBE)/.test(sql)) expect(text).not.toContain(canary); // a default is no value
    });

    test("a refusal says which column, where, and what may be read instead", async () => {
      await using source = world.open(denying);
      const { sql, position } = rows.refused;
      const { error } = await everythingOf(source, sql);
      expect(error).toMatchObject({ code: "permission_denied", position });
      expect(error?.hint).toBe("Of users there may be read: id, name, email.");
    });

    test("parameters keep their places beside tables that are replaced", async () => {
      await using source = world.open(denying);
      const cells: unknown[] = [];
      const sink = { columns: () => {}, row: (row: readonly unknown[]) => cells.push(...row) > 0 };
      const limits = { maxRows: 10, timeoutMs: 10_000, maxWireBytes: 1_000_000, signal: new AbortController().signal };
      await source.read({ sql: rows.parameters, params: ["a", 5, 2] }, sink, limits);
      expect(cells).toEqual(["a", "user 2"]);
    });

    test("a column added a moment ago is hidden at once", async () => {
      await using source = world.open({ deny: ["*.late"] });
      await world.database.run("CREATE TABLE grows (id int)");
      await world.database.run("INSERT INTO grows VALUES (1)");
      expect((await everythingOf(source, "SELECT * FROM grows")).read?.columns).toHaveLength(1);
      await world.database.run(`ALTER TABLE grows ADD COLUMN late varchar(50) DEFAULT '${canary}late'`);
      const { read, text } = await everythingOf(source, "SELECT * FROM grows");
      expect(read?.columns).toHaveLength(1);
      expect(text).not.toContain(canary);
    });

    test("descriptions and searches mark them, and tell neither defaults nor values", async () => {
      await using source = world.open(denying);
      const { signal } = new AbortController();
      const described = await source.catalog.describe({ name: "users" }, { signal });
      expect(described.columns.find(({ name }) => name === "password")).toEqual({
        name: "password",
        type: `${rows.passwordType} (denied)`,
        nullable: true,
      });
      const found = await source.catalog.search({ kind: "column", pattern: "ssn", limit: 10 }, { signal });
      expect(found.length).toBeGreaterThan(0);
      expect(found.every(({ definition }) => definition === `${rows.passwordType} (denied)`)).toBe(true);
      expect(JSON.stringify([described, found])).not.toContain(canary);
    });

    test("a rule that fits nothing is a warning of the self-audit", async () => {
      await using source = world.open({ deny: ["users.pasword", "users.password"], schemas: [world.shown, "pubic"] });
      const { warnings } = await source.check({ signal: new AbortController().signal });
      expect(warnings).toContain("The column rule users.pasword fits no column: it protects nothing.");
      expect(warnings).toContain("--schemas names pubic, which is not there.");
      expect(warnings.join()).not.toContain("users.password fits");
    });

    test("no random query over the table gives a hidden value", { timeout: 240_000 }, async () => {
      await using source = world.open(denying);
      await fc.assert(
        fc.asyncProperty(rows.randomQuery(), async (sql) => {
          const { text } = await everythingOf(source, sql);
          expect(text, sql).not.toContain(canary);
        }),
        { numRuns: 300 },
      );
    });
  });

  describe("masked columns", () => {
    const masking = { mask: ["users.email=last4", "*.ssn=hash", "users.password=full"] };

    test("show what is left of them, wherever they come out", async () => {
      await using source = world.open(masking);
      const { read } = await everythingOf(source, "SELECT email, ssn, password FROM plain_view ORDER BY id LIMIT 1");
      expect(read?.rows[0]).toEqual(["***.org", expect.stringMatching(/^[0-9a-f]{16}$/), "***"]);
    });

    test.each(rows.unmasking)("%s", async (sql) => {
      await using source = world.open(masking);
      const { text, plan } = await everythingOf(source, sql);
      expect(text).not.toContain(canary);
      expect(text).not.toContain("@example.org");
      expect(plan ?? "").not.toMatch(/'[0-9a-f]{32}'/); // the key of the hashes
    });

    test("a plan that would quote what is masked is not given", async () => {
      await using source = world.open(masking);
      const { error } = await everythingOf(source, rows.quotingPlan);
      expect(error?.code).toBe("not_allowed");
    });
  });
});
