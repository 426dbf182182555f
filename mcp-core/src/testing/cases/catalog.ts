/** What exists and what it looks like. */
import assert from "node:assert/strict";
import { failureOf, openTarget, readOptions } from "../fixture.js";
import type { TargetCase } from "../target.js";

export const catalogCases: readonly TargetCase[] = [
  [
    "the schemas include the default one",
    async (target) => {
      await using database = openTarget(target);
      assert.ok((await database.catalog.schemas(readOptions())).includes(target.schema));
    },
  ],
  [
    "a search finds by part of a name and by wildcards, without regard to case, of the kind asked for",
    async (target) => {
      await using database = openTarget(target);
      const names = async (pattern: string | undefined, kind: "table" | "view" | "column" | "index") => {
        const search = { pattern, kind, schema: target.schema, limit: 100 };
        const found = await database.catalog.search(search, readOptions());
        assert.ok(found.every((one) => one.kind === kind && one.schema === target.schema));
        return found.map(({ name }) => name);
      };
      const tables = ["conformance_children", "conformance_parents", "conformance_rows", "conformance_texts"];
      assert.deepEqual(await names(undefined, "table"), tables);
      assert.deepEqual(await names("FORMANCE", "table"), tables);
      assert.deepEqual(await names("conformance_p%", "table"), ["conformance_parents"]);
      assert.deepEqual(await names("*row?", "table"), ["conformance_rows"]);
      assert.deepEqual(await names("row?", "table"), []);
      assert.deepEqual(await names("conformance", "view"), ["conformance_view"]);
      assert.deepEqual(await names("parent_id", "column"), ["parent_id"]);
      assert.deepEqual(await names("children_note", "index"), ["conformance_children_note"]);
      assert.deepEqual(await names("nothing like it", "table"), []);
    },
  ],
  [
    "a search tells what belongs to what, and stops at its limit",
    async (target) => {
      await using database = openTarget(target);
      const search = { kind: "column" as const, schema: target.schema, pattern: "note" };
      const [note] = await database.catalog.search({ ...search, limit: 10 }, readOptions());
      assert.equal(note?.table, "conformance_children");
      assert.match(note?.definition ?? "", /char/);
      const two = await database.catalog.search({ schema: target.schema, limit: 2 }, readOptions());
      assert.equal(two.length, 2);
      assert.ok(two.every(({ kind }) => kind === "table" || kind === "schema"));
    },
  ],
  [
    "a pattern is a value, whatever it holds",
    async (target) => {
      await using database = openTarget(target);
      for (const pattern of ["'", '"', "\\", "'; DROP TABLE conformance_rows; --", "%'%"]) {
        assert.deepEqual(await database.catalog.search({ pattern, kind: "table", limit: 10 }, readOptions()), []);
      }
    },
  ],
  [
    "a description has columns, keys, foreign keys both ways and indexes",
    async (target) => {
      await using database = openTarget(target);
      const children = await database.catalog.describe({ name: "conformance_children" }, readOptions());
      assert.equal(children.schema, target.schema);
      assert.match(children.kind, /table/);
      assert.deepEqual(
        children.columns.map(({ name, nullable }) => [name, nullable]),
        [
          ["id", false],
          ["parent_id", false],
          ["note", true],
        ],
      );
      assert.match(children.columns[2]?.type ?? "", /char.*100/);
      assert.match(children.columns[2]?.default ?? "", /none/);
      assert.deepEqual(children.primaryKey, ["id"]);
      assert.ok(children.indexes.some(({ name }) => name === "conformance_children_note"));
      const { name: _, actions: __, ...reference } = children.references[0] ?? { name: "" };
      assert.deepEqual(reference, {
        columns: ["parent_id"],
        schema: target.schema,
        table: "conformance_parents",
        referencedColumns: ["id"],
      });
      const parents = await database.catalog.describe(
        { schema: target.schema, name: "conformance_parents" },
        readOptions(),
      );
      assert.deepEqual(
        parents.referencedBy.map(({ table, columns, referencedColumns }) => ({ table, columns, referencedColumns })),
        [{ table: "conformance_children", columns: ["parent_id"], referencedColumns: ["id"] }],
      );
    },
  ],
  [
    "a view is described with its columns and its query",
    async (target) => {
      await using database = openTarget(target);
      const view = await database.catalog.describe({ name: "conformance_view" }, readOptions());
      assert.match(view.kind, /view/);
      assert.deepEqual(
        view.columns.map(({ name }) => name),
        ["id", "full_name"],
      );
      assert.match(view.viewDefinition ?? "", /conformance_parents/);
    },
  ],
  [
    "the fingerprint, where there is one, changes with every change of the schema by somebody else",
    async (target) => {
      await using database = openTarget(target);
      const { fingerprint } = database.catalog;
      if (fingerprint === undefined) return;
      let before = await fingerprint(readOptions());
      for (const sql of [
        "CREATE TABLE conformance_print (id int, word varchar(10))",
        "ALTER TABLE conformance_print ADD COLUMN more int",
        "ALTER TABLE conformance_print RENAME COLUMN word TO words",
        "ALTER TABLE conformance_print ALTER COLUMN more SET DEFAULT 5",
        "CREATE INDEX conformance_print_id ON conformance_print (id)",
        "CREATE VIEW conformance_print_view AS SELECT id FROM conformance_print",
        "CREATE OR REPLACE VIEW conformance_print_view AS SELECT id FROM conformance_print WHERE id > 1",
        "DROP VIEW conformance_print_view",
        "DROP TABLE conformance_print",
      ]) {
        await target.run(sql);
        const after = await fingerprint(readOptions());
        assert.notEqual(after, before, sql);
        before = after;
      }
    },
  ],
  [
    "a table that does not exist is table_not_found",
    async (target) => {
      await using database = openTarget(target);
      for (const table of [{ name: "conformance_missing" }, { schema: "no_such_schema", name: "conformance_rows" }]) {
        assert.equal((await failureOf(database.catalog.describe(table, readOptions()))).code, "table_not_found");
      }
    },
  ],
];
