/** What each package exports: a name that comes or goes is a decision, so it shows here. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { root } from "./sources.js";

const faces: readonly string[] = [
  "mcp-core/src/host/index.ts",
  "mcp-core/src/sql/index.ts",
  "mcp-core/src/sample/index.ts",
  "mcp-core/src/testing/index.ts",
  "mcp-postgres/src/index.ts",
  "mcp-mysql/src/index.ts",
  "mcp-gateway/src/index.ts",
  "agent/src/index.ts",
];

/** Exported names in alphabetical order, types marked. */
function exportedNames(face: string): string[] {
  const text = readFileSync(join(root, face), "utf8");
  const listed = [...text.matchAll(/^export (type )?\{([^}]*)\}/gm)].flatMap(([, isType = "", list = ""]) =>
    list
      .split(",")
      .map((name) => name.trim())
      .filter((name) => name !== "")
      .map((name) => (isType !== "" && !name.startsWith("type ") ? `type ${name}` : name)),
  );
  const declared = [...text.matchAll(/^export (?:async )?(function|const|class|type|interface) (\w+)/gm)].map(
    ([, word = "", name = ""]) => (word === "type" || word === "interface" ? `type ${name}` : name),
  );
  return [...listed.map((name) => name.replace(/\S+ as /, "")), ...declared].sort();
}

test.each(faces)("%s", (face) => {
  expect(exportedNames(face)).toMatchSnapshot();
});

test.each(faces)("%s names what it exports", (face) => {
  const text = readFileSync(join(root, face), "utf8");
  expect(text).not.toMatch(/^export (\*|default)/m);
});
