/** The prompt on a real terminal: completion, several lines, Ctrl-C, paging, commands; and the same from a pipe. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createMysqlDatabase, createPostgresDatabase, type TestDatabase } from "../support/databases.js";
import {
  eventually,
  openTerminal,
  runAgent,
  runsStatement,
  slowStatement,
  temporaryFolder,
  withoutPassword,
} from "./support.js";

let database: TestDatabase;
let mysql: TestDatabase;
const state = temporaryFolder();

beforeAll(async () => {
  [database, mysql] = await Promise.all([createPostgresDatabase(), createMysqlDatabase()]);
  await database.run(
    "CREATE TABLE customers (customer_id bigint PRIMARY KEY, full_name text); COMMENT ON TABLE customers IS 'Who buys'; INSERT INTO customers VALUES (1, 'Ada'), (2, E'evil\\u001b[2J')",
  );
  await mysql.run("CREATE TABLE invoices (invoice_id int PRIMARY KEY)");
});
afterAll(async () => {
  await Promise.all([database?.[Symbol.asyncDispose](), mysql?.[Symbol.asyncDispose]()]);
  state[Symbol.dispose]();
});

const open = (urls = [`shop=${database.url}`], options: { columns?: number } = {}) =>
  openTerminal(urls, { environment: { XDG_STATE_HOME: state.path }, ...options });

describe("on a terminal", () => {
  test("it connects, completes tables, columns and keywords, and takes several lines", async () => {
    await using terminal = await open();
    await terminal.shows(/shop: PostgreSQL [\d.]+/);
    await terminal.shows("shop=>");
    await terminal.type("sele");
    await terminal.press("Tab");
    await terminal.shows("=> select");
    await terminal.type("* from custo");
    await eventually(async () => {
      await terminal.press("Tab");
      return (await terminal.screen()).includes("from customers");
    }, "the table's name");
    await terminal.enter(" c");
    await terminal.type("where c.customer_");
    await terminal.press("Tab");
    await terminal.shows("where c.customer_id");
    await terminal.enter(" = 1;");
    await terminal.shows(/1 │ Ada\s*\n\(1 row/);
  });

  test("Ctrl-C cancels the statement on the server, not the program", async () => {
    await using terminal = await open();
    await terminal.shows("shop=>");
    const mark = `terminal_${process.pid}`;
    const isActive = (): Promise<boolean> => runsStatement(database, mark);
    await terminal.enter(`${slowStatement(mark)};`);
    await eventually(isActive, "the statement to run");
    await terminal.press("C-c");
    await terminal.shows("Cancelled");
    await eventually(async () => !(await isActive()), "the statement to stop");
    await terminal.type("half a line");
    await terminal.press("C-c");
    await terminal.enter("SELECT 40 + 2 AS answer;");
    await terminal.shows(/answer[\s\S]*42[\s\S]*\(1 row/);
    await terminal.press("C-d");
    await terminal.shows("exit=0");
  });

  test("a large result goes on with \\more, in one snapshot", async () => {
    await using terminal = await open();
    await terminal.shows("shop=>");
    await terminal.enter("SELECT generate_series(1, 2500) AS n;");
    await terminal.shows("(1000 rows, and there are more");
    await database.run("INSERT INTO customers VALUES (3, 'Late')");
    await terminal.enter("\\more");
    await terminal.shows("(rows 1001 to 2000");
    await terminal.enter("\\more");
    expect(await terminal.shows("(rows 2001 to 2500")).toContain(" 2500");
    await terminal.enter("\\more");
    await terminal.shows("There is no result to continue.");
    await database.run("DELETE FROM customers WHERE customer_id = 3");
  });

  test("commands: \\d, \\dt, \\l, \\c, \\x, \\timing, \\explain, a misspelt one", async () => {
    await using terminal = await open([`shop=${database.url}`, `books=${mysql.url}`]);
    await terminal.shows("Databases: shop, books.");
    await terminal.enter("\\d customers");
    await terminal.shows("customer_id bigint not null");
    await terminal.enter("\\dt cust*");
    await terminal.shows("Who buys");
    await terminal.enter("\\l");
    await terminal.shows(/\* ✓ shop: PostgreSQL[\s\S]*✓ books: MariaDB|\* ✓ shop: PostgreSQL[\s\S]*✓ books: MySQL/);
    await terminal.enter("\\x");
    await terminal.enter("\\timing off");
    await terminal.enter("SELECT customer_id FROM customers WHERE customer_id = 1;");
    await terminal.shows(/customer_id │ 1\s*\n\(1 row\)/);
    await terminal.enter("\\explain SELECT * FROM customers");
    await terminal.shows("findings:");
    await terminal.enter("\\tming");
    await terminal.shows("Did you mean \\timing?");
    await terminal.enter("\\c boks");
    await terminal.shows("Did you mean books?");
    await terminal.enter("\\c books");
    await terminal.shows("books=>");
    await terminal.enter("\\dt invoices");
    await terminal.shows(/table │ t_\w+ +│ invoices/);
  });

  test("what a value wants of the terminal is shown, not done; twenty columns suffice", async () => {
    await using terminal = await open(undefined, { columns: 20 });
    await terminal.shows("shop=>");
    await terminal.enter("SELECT full_name FROM customers WHERE customer_id = 2;");
    await terminal.shows("evil\\u001b[2J");
  });

  test("a database that is down is told, and another can be chosen", async () => {
    await using terminal = await openTerminal(["gone=postgres://u@127.0.0.1:1/x", `shop=${database.url}`], {
      environment: { XDG_STATE_HOME: state.path },
    });
    await terminal.shows("[connection_failed]");
    await terminal.enter("\\c shop");
    await terminal.shows("shop=>");
  });
});

describe("from a pipe", () => {
  test("statements and commands run, results alone are on stdout, the last one needs no semicolon", async () => {
    const { url, environment } = withoutPassword(database.url);
    const { code, stdout, stderr } = await runAgent([`shop=${url}`], {
      environment,
      input: "SELECT 1 AS one;\n-- a comment\nSELECT 2\n  AS two;\n\\dt\nSELECT 3 AS three",
    });
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout.split("\n")).toEqual([
      ...[" one", "─────", "   1", "(1 row)"],
      ...[" two", "─────", "   2", "(1 row)"],
      ...stdout.split("\n").slice(8, 11),
      ...[" three", "───────", "     3", "(1 row)", ""],
    ]);
    expect(stdout).toContain("customers");
  });

  test("one that fails is told, the others run, and the exit code is 1", async () => {
    const { code, stdout, stderr } = await runAgent([database.url], { input: "SELECT wrong;\nSELECT 2 AS two;\n" });
    expect(code).toBe(1);
    expect(stdout).toContain(" two");
    expect(stderr).toContain("[column_not_found 42703]");
  });

  test("a database that is down ends it", async () => {
    const { code, stderr } = await runAgent(["postgres://u@127.0.0.1:1/x"], { input: "SELECT 1;\n" });
    expect(code).toBe(1);
    expect(stderr).toContain("[connection_failed]");
  });
});
