/** Where statements end at the prompt, and what of them is remembered. */
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { createStyle, type Style } from "../../agent/src/faces/print/style.js";
import { highlightSql } from "../../agent/src/faces/repl/highlight.js";
import { historyFile, mayBeKept, openHistory } from "../../agent/src/faces/repl/history.js";
import { continueSearch, neighbour, newSearch } from "../../agent/src/faces/repl/recall.js";
import { dialectOf, piecesOf, splitStatements } from "../../agent/src/faces/repl/statements.js";
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
    expect(history.entries).toEqual(["select\n2;", "select 1;"]);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(readFileSync(file, "utf8")).toBe("select 1;\nselect\u00012;\n");
    writeFileSync(file, "old\n", { mode: 0o644 });
    const again = await openHistory(file);
    await again.add("new");
    expect(again.entries).toEqual(["new", "old"]);
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });
});

describe("the pieces of a statement", () => {
  test.each([
    [
      "a comment, texts and names",
      postgres,
      "select 'a' -- b",
      ["plain:select ", "quoted:'a'", "plain: ", "comment:-- b"],
    ],
    ["an open text to its end", mariadb, "where x = 'a", ["plain:where x = ", "quoted:'a"]],
    ["dollar quotes", postgres, "do $$ x $$", ["plain:do ", "quoted:$$ x $$"]],
  ] as const)("%s", (_, dialect, text, pieces) => {
    expect(piecesOf(text, dialect).map(({ kind, text: piece }) => `${kind}:${piece}`)).toEqual(pieces);
  });

  test.each(["select 1", "-- a\nselect 'it''s' /* x */ from \"T\" where a = $1 and b = `c", "👩‍👩‍👧 'ü", ""])(
    "colours change no character of %j",
    (text) => {
      const style = createStyle({ isTTY: true }, {});
      expect(highlightSql(text, postgres, style).replace(/\u001b\[\d+m/g, "")).toBe(text);
      expect(highlightSql(text, postgres, style, 3).replace(/\u001b\[\d+m/g, "")).toBe(text.slice(3));
    },
  );

  test("keywords, numbers, texts and comments have colours, names none", () => {
    const tag = createTag();
    expect(highlightSql("select a1, 42 from t where x = 'from' -- 7", postgres, tag)).toBe(
      "<blue:select> a1, <magenta:42> <blue:from> t <blue:where> x = <green:'from'> <dim:-- 7>",
    );
  });
});

const createTag = (): Style => (name, text) => `<${name}:${text}>`;

describe("earlier entries are found", () => {
  const entries = ["select 3;", "delete x;", "select 2;", "SELECT 1;"];
  test("one after the other, by what was typed", () => {
    expect(neighbour(entries, -1, 1, "")).toEqual({ at: 0, entry: "select 3;" });
    expect(neighbour(entries, 0, 1, "select")).toEqual({ at: 2, entry: "select 2;" });
    expect(neighbour(entries, 2, -1, "select")).toEqual({ at: 0, entry: "select 3;" });
    expect(neighbour(entries, 2, 1, "delete")).toBeUndefined();
  });

  test("by any part of them, further back, forth again, and not at all", () => {
    const typed = ["s", "e", "l"].reduce((search, type) => continueSearch(entries, search, { type }), newSearch);
    expect(typed).toEqual({ wanted: "sel", at: 0, isFailing: false });
    const older = continueSearch(entries, typed, "older");
    expect(older.at).toBe(2);
    expect(continueSearch(entries, older, "newer").at).toBe(0);
    expect(continueSearch(entries, older, { type: "x" })).toEqual({ wanted: "selx", at: 2, isFailing: true });
    expect(continueSearch(entries, { wanted: "s", at: 3, isFailing: false }, "shorter")).toEqual(newSearch);
  });
});
