/** What the documents point at is there: files, folders, and the headings of links. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import { root } from "./sources.js";

const documents = [
  "README.md",
  ...["mcp-core", "mcp-postgres", "mcp-mysql", "mcp-gateway", "agent", "deploy"].map((folder) => `${folder}/README.md`),
  ...readdirSync(join(root, "docs"))
    .filter((name) => name.endsWith(".md"))
    .map((name) => `docs/${name}`),
].filter((file) => existsSync(join(root, file)));

const folders = "mcp-core|mcp-postgres|mcp-mysql|mcp-gateway|agent|tests|examples|deploy|docs|bench|bin";
const quoted = /`([^`\n]+)`/g;
const path = new RegExp(`(?<![\\w@/.-])(?:${folders})/[\\w./-]*[\\w-]`, "g");
const link = /\]\(([^)\s]+)\)/g;

/** GitHub's anchor of a heading. */
const anchorOf = (heading: string): string =>
  heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N} _-]/gu, "")
    .replaceAll(" ", "-");

/** A room of mcp-core is also named as it is imported. */
const isThere = (named: string): boolean =>
  [named, named.replace(/^mcp-core\//, "mcp-core/src/")].some((one) => existsSync(join(root, one)));

describe.each(documents)("%s", (document) => {
  const text = readFileSync(join(root, document), "utf8");

  test("names paths that are there", () => {
    const named = [...text.matchAll(quoted)].flatMap(([, code = ""]) => code.match(path) ?? []);
    expect(named.filter((one) => !isThere(one))).toEqual([]);
  });

  test("links to what is there", () => {
    const broken = [...text.matchAll(link)].flatMap(([, target = ""]) => {
      if (/^[a-z]+:/.test(target)) return [];
      const [file = "", anchor] = target.split("#");
      const at = file === "" ? join(root, document) : join(root, dirname(document), file);
      if (!existsSync(at)) return [target];
      if (anchor === undefined) return [];
      const headings = [...readFileSync(at, "utf8").matchAll(/^#+ (.+)$/gm)].map(([, heading = ""]) =>
        anchorOf(heading),
      );
      return headings.includes(anchor) ? [] : [target];
    });
    expect(broken).toEqual([]);
  });
});
