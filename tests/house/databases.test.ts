/** The two database folders: the same rooms by the same names, and nothing copied between them. */
import { expect, test } from "vitest";
import { sources } from "./sources.js";

const files = (folder: string) => sources.filter(({ path }) => path.startsWith(`${folder}/src/`));
const names = (folder: string) => files(folder).map(({ path }) => path.slice(folder.length + "/src/".length));

/** What a database folder has, whatever else its driver needs. */
const common: readonly string[] = [
  "bin.ts",
  "catalog.ts",
  "command.ts",
  "config.ts",
  "database.ts",
  "demo-schema.ts",
  "demo.ts",
  "errors.ts",
  "explain.ts",
  "guard.ts",
  "index.ts",
  "instance-binaries.ts",
  "instance.ts",
  "values.ts",
];

test.each(["mcp-postgres", "mcp-mysql"])("%s has every common file", (folder) => {
  const there = names(folder);
  expect(common.filter((name) => !there.includes(name))).toEqual([]);
});

const blockLines = 6;

/** Every block of six lines that say something, with where it starts. */
function blocks(folder: string): Map<string, string> {
  const found = new Map<string, string>();
  for (const { path, text } of files(folder)) {
    const lines = text
      .split("\n")
      .map((line, index) => ({ words: line.trim(), number: index + 1 }))
      .filter(({ words }) => /\w/.test(words) && !/^(\/\/|\/\*|\*)/.test(words));
    for (let start = 0; start + blockLines <= lines.length; start += 1) {
      const block = lines.slice(start, start + blockLines);
      if (block.some(({ words }) => /^(import\b|\} from\b)/.test(words))) continue;
      const body = block.map(({ words }) => words).join("\n");
      if (!isImportList(lines, start)) found.set(body, `${path}:${block[0]?.number}`);
    }
  }
  return found;
}

/** Names inside a multi-line import are not code. */
function isImportList(lines: readonly { readonly words: string }[], start: number): boolean {
  const before = lines.slice(0, start).findLast(({ words }) => words.startsWith("import ") || words.includes(" from "));
  return before?.words === "import {" || before?.words === "import type {";
}

test("no block of six lines is in both folders", () => {
  const others = blocks("mcp-mysql");
  const shared = [...blocks("mcp-postgres")].flatMap(([body, place]) =>
    others.has(body) ? [`${place} = ${others.get(body)}\n${body}`] : [],
  );
  expect(shared).toEqual([]);
});
