/** What lies outside the schemas that are shown is as if it were not there, on each engine. */
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
  const open = () => world.open({ schemas: [world.shown] });

  test.each(rows.outside)("%s", async (row) => {
    await using source = open();
    const sql = world.named(row);
    const { error, text } = await everythingOf(source, sql);
    expect(error?.code).toMatch(/^(permission_denied|not_allowed)$/);
    expect(text).not.toContain(canary);
    for (const name of [/salaries/, new RegExp(`\\b${world.hidden}\\b`)])
      expect(name.test(sql) || !name.test(text), text).toBe(true);
  });

  test("what exists outside is refused as what does not", async () => {
    await using source = open();
    const [there, missing] = await Promise.all(
      ["HR.salaries", "HR.no_such_table"].map((name) => everythingOf(source, world.named(`SELECT * FROM ${name}`))),
    );
    expect(there?.text.replaceAll("salaries", "no_such_table")).toBe(missing?.text);
  });

  test.each(rows.inside)("%s runs", async (sql) => {
    await using source = open();
    expect((await everythingOf(source, world.named(sql))).error).toBeUndefined();
  });

  test("a view that reads outside has no plan, foreign keys from outside are not described", async () => {
    await using source = open();
    const { plan, text } = await everythingOf(source, "SELECT * FROM shown");
    expect(plan).toBeUndefined();
    expect(text).not.toContain("salaries");
    const { signal } = new AbortController();
    const described = await Promise.all(
      ["users", "shown"].map((name) => source.catalog.describe({ name }, { signal })),
    );
    expect(JSON.stringify(described)).not.toContain("salaries");
    const salaries = { schema: world.hidden, name: "salaries" };
    await expect(source.catalog.describe(salaries, { signal })).rejects.toMatchObject({ code: "table_not_found" });
  });
});

test("a database that may not be seen is closed also where it is the current one", async () => {
  await using world = await openWorld(mysqlWorld);
  await using source = world.open({ schemas: [world.hidden] });
  expect((await everythingOf(source, "SELECT * FROM users")).error?.code).toBe("table_not_found");
  expect((await everythingOf(source, "SHOW TABLES")).error?.code).toBe("permission_denied");
  expect((await everythingOf(source, "DESCRIBE users")).error?.code).toBe("permission_denied");
  expect((await everythingOf(source, `SELECT id FROM ${world.hidden}.salaries`)).read?.rows).toHaveLength(1);
});
