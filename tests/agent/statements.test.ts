/** Where statements end at the prompt, and what of them is remembered. */
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { historyFile, mayBeKept, openHistory } from "../../agent/src/faces/repl/history.js";
import { dialectOf, splitStatements } from "../../agent/src/faces/repl/statements.js";
import { temporaryFolder } from "./support.js";

const postgres = dialectOf("PostgreSQL");
const mariadb = dialectOf("MariaDB");

describe("a statement ends at its semicolon", () => {
  test.each([
    ["two on a line", postgres, "select 1; select 2;", ["select 1", "select 2"], ""],
    ["an open one waits", postgres, "select 1; select", ["select 1"], " select"],
    ["not inside quotes", postgres, "select 'a;b', \"c;d\";", ["select 'a;b', \"c;d\""], ""],
    ["not after a doubled quote", postgres, "select 'it''s; so';", ["select 'it''s; so'"], ""],
    ["not inside comments", postgres, "select 1 -- ; no\n/* ; */ + 1;", ["select 1 -- ; no\n/* ; */ + 1"], ""],
    ["not inside dollar quotes", postgres, "select $x$ ; $y$ ; $x$;", ["select $x$ ; $y$ ; $x$"], ""],
    ["a parameter is no dollar quote", postgres, "select $1; select $2;", ["select $1", "select $2"], ""],
    ["an E string knows backslashes", postgres, "select E'a\\';b';", ["select E'a\\';b'"], ""],
    ["a plain one does not", postgres, "select 'a\\';", ["select 'a\\'"], ""],
    ["MariaDB's texts know backslashes", mariadb, "select 'a\\';b';", ["select 'a\\';b'"], ""],
    ["MariaDB knows # comments", mariadb, "select 1 # ; no\n;", ["select 1 # ; no"], ""],
    ["PostgreSQL does not", postgres, "select a #> b;", ["select a #> b"], ""],
    ["backquotes hold names", mariadb, "select `a;b`;", ["select `a;b`"], ""],
    ["empty ones vanish", postgres, ";; -- nothing\n;", [], ""],
    ["a comment alone waits for nothing", postgres, "-- just talk\n", [], ""],
    ["an open comment waits", postgres, "/* more", [], "/* more"],
    ["an open quote waits", postgres, "select 'a;", [], "select 'a;"],
  ] as const)("%s", (_, dialect, text, statements, rest) => {
    expect(splitStatements(text, dialect)).toEqual({ statements, rest });
  });
});

describe("the history keeps no secret", () => {
  test.each([
    ["select * from people;", true],
    ["select password_hash from users", true],
    ["\\c sales", true],
    ["\\c postgres://me:secret@host/db", false],
    ["\\c postgres://me@host/db", true],
    ["create user x identified by 'secret'", false],
    ["alter role x password 'secret'", false],
    ["alter role x with encrypted password 'secret'", false],
    ["set password = 'secret'", false],
    ["select api_key = 'abc' from t", false],
    [" select 1", false],
    ["", false],
  ])("%j is kept: %j", (entry, kept) => {
    expect(mayBeKept(entry)).toBe(kept);
  });

  test("its file is its owner's alone, also when it was not", async () => {
    using folder = temporaryFolder();
    const file = historyFile({ XDG_STATE_HOME: folder.path });
    expect(file).toBe(join(folder.path, "db-agent", "history"));
    const history = await openHistory(file);
    await history.add("select 1;");
    await history.add("set password = 'x'");
    await history.add("select\n2;");
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(readFileSync(file, "utf8")).toBe("select 1;\nselect 2;\n");
    writeFileSync(file, "old\n", { mode: 0o644 });
    const again = await openHistory(file);
    await again.add("new");
    expect(again.entries).toEqual(["old"]);
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });
});
