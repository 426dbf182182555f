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

/** Exported names in alphabetical order, types marked; a face has nothing but export lists. */
function exportedNames(face: string): string[] {
  const text = readFileSync(join(root, face), "utf8");
  return [...text.matchAll(/^export (type )?\{([^}]*)\}/gm)]
    .flatMap(([, isType = "", list = ""]) =>
      list
        .split(",")
        .map((name) => name.trim())
        .filter((name) => name !== "")
        .map((name) => (isType !== "" && !name.startsWith("type ") ? `type ${name}` : name)),
    )
    .map((name) => name.replace(/\S+ as /, ""))
    .sort();
}

test.each(faces)("%s", (face) => {
  expect(exportedNames(face)).toMatchSnapshot();
});

test.each(faces)("%s holds export lists only", (face) => {
  const text = readFileSync(join(root, face), "utf8");
  expect(text).not.toMatch(/^export (\*|const|function|async|class|interface|default)/m);
});
