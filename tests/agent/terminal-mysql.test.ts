/** The prompt on MariaDB or MySQL: a statement cancelled on the server, a write refused and one allowed, the rows looked at. */
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { createMysqlDatabase, type TestDatabase } from "../support/databases.js";
import { eventually, openTerminal, temporaryFolder } from "./support.js";

vi.setConfig({ testTimeout: 120_000 });

let database: TestDatabase;
const state = temporaryFolder();

beforeAll(async () => {
  database = await createMysqlDatabase();
  await database.run("CREATE TABLE stock (id int PRIMARY KEY, quantity int NOT NULL)");
  await database.run(`INSERT INTO stock VALUES ${Array.from({ length: 1_000 }, (_, id) => `(${id}, 10)`).join()}`);
});
afterAll(async () => {
  await database?.[Symbol.asyncDispose]();
  state[Symbol.dispose]();
});

const open = () =>
  openTerminal(["--mode", "approve", `shop=${database.url}`], { environment: { XDG_STATE_HOME: state.path } });
const quantities = async () =>
  (await database.run("SELECT quantity FROM stock WHERE id < 2 ORDER BY id")).map(({ quantity }) => Number(quantity));

test("Ctrl-C cancels the statement on the server, not the program", async () => {
  await using terminal = await open();
  await terminal.shows("shop=>");
  const mark = `terminal_${process.pid}`;
  const isActive = async (): Promise<boolean> =>
    (
      await database.run(
        `SELECT 1 FROM information_schema.processlist WHERE info LIKE '%${mark}%' AND id <> CONNECTION_ID()`,
      )
    ).length > 0;
  const tables = ["stock a", "stock b", "stock c", "stock d"].join(", ");
  await terminal.enter(`SELECT sum(a.quantity * b.id * c.id * d.id) AS ${mark} FROM ${tables};`);
  await eventually(isActive, "the statement to run");
  await terminal.press("C-c");
  await terminal.shows("Cancelled");
  await eventually(async () => !(await isActive()), "the statement to stop");
  await terminal.enter("SELECT 40 + 2 AS answer;");
  await terminal.shows(/answer[\s\S]*42[\s\S]*\(1 row/);
});

test("a write is shown with its dry run; a no leaves the row, a yes changes it", async () => {
  await using terminal = await open();
  await terminal.shows("shop=>");
  await terminal.enter("UPDATE stock SET quantity = 11 WHERE id = 1;");
  expect(await terminal.shows("[r]eject?")).toMatch(/dry run: update \S*stock\S*, 1 row/);
  await terminal.enter("r");
  await terminal.shows("Why (may be empty)?");
  await terminal.enter("not today");
  await terminal.shows("They say: not today");
  expect(await quantities()).toEqual([10, 10]);
  await terminal.enter("UPDATE stock SET quantity = 12 WHERE id = 1;");
  await terminal.shows(/12[\s\S]*\[r\]eject\?\s*$/);
  expect(await quantities()).toEqual([10, 10]);
  await terminal.enter("a");
  await terminal.shows("Done: 1 row.");
  expect(await quantities()).toEqual([10, 12]);
});
