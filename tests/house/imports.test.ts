/** Who may import whom: the directions of the design, as a test. */
import { builtinModules } from "node:module";
import { describe, expect, test } from "vitest";
import { type SourceFile, sources, targetOf, withoutComments } from "./sources.js";

const below = (folder: string) => sources.filter(({ path }) => path.startsWith(`${folder}/`));

/** `file → specifier` of every import for which `isWrong` holds. */
const offences = (files: readonly SourceFile[], isWrong: (specifier: string, file: SourceFile) => boolean): string[] =>
  files.flatMap((file) => file.imports.filter((name) => isWrong(name, file)).map((name) => `${file.path} → ${name}`));

const packageOf = (specifier: string): string =>
  specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/");
const isBuiltin = (specifier: string): boolean => specifier.startsWith("node:") || builtinModules.includes(specifier);

test("there are sources to look at, and imports are found in them", () => {
  expect(sources.length).toBeGreaterThan(50);
  expect(sources.flatMap(({ imports }) => imports).length).toBeGreaterThan(200);
});

test("every relative import ends in .js and leads to a file that is there", () => {
  const known = new Set(sources.map(({ path }) => path));
  const isWrong = (name: string, file: SourceFile) =>
    name.startsWith(".") && !name.endsWith(".json") && !known.has(targetOf(file, name) ?? "");
  expect(offences(sources, isWrong)).toEqual([]);
});

test("the host room never imports the SQL room", () => {
  expect(offences(below("mcp-core/src/host"), (name, file) => !stays(name, file, "mcp-core/src/host"))).toEqual([]);
});

test("the SQL room imports itself and the host's, the sample room itself and the host's", () => {
  for (const room of ["sql", "sample"]) {
    const own = `mcp-core/src/${room}`;
    const isWrong = (name: string, file: SourceFile) =>
      !stays(name, file, own) && !stays(name, file, "mcp-core/src/host");
    expect(offences(below(own), isWrong)).toEqual([]);
  }
});

/** True for an import that leaves the suite, or leads to a file in this folder. */
function stays(specifier: string, file: SourceFile, folder: string): boolean {
  const target = targetOf(file, specifier);
  return target === undefined || target.startsWith(`${folder}/`);
}

test.each([
  ["mcp-core", []],
  ["mcp-postgres", ["mcp-core"]],
  ["mcp-mysql", ["mcp-core"]],
  ["mcp-gateway", ["mcp-core/host"]],
  ["agent", []],
] as const)("%s imports of the workspace only %j", (folder, allowed: readonly string[]) => {
  const isWrong = (name: string, file: SourceFile) => {
    if (name.startsWith("@database-interface/")) {
      const wanted = name.slice("@database-interface/".length);
      return !allowed.some((entry) => wanted === entry || wanted.startsWith(`${entry}/`));
    }
    return name.startsWith(".") && !name.endsWith(".json") && !(targetOf(file, name) ?? "").startsWith(`${folder}/`);
  };
  expect(offences(below(folder), isWrong)).toEqual([]);
});

test.each([
  ["postgres", "mcp-postgres"],
  ["libpg-query", "mcp-postgres"],
  ["mariadb", "mcp-mysql"],
])("the driver %s is imported in %s alone", (driver, folder) => {
  const others = sources.filter(({ path }) => !path.startsWith(`${folder}/`));
  expect(offences(others, (name) => packageOf(name) === driver)).toEqual([]);
});

test("nothing imports its own package's face", () => {
  const isWrong = (name: string, file: SourceFile) => {
    const [folder = ""] = file.path.split("/");
    if (name.startsWith(`@database-interface/${folder}`)) return true;
    return targetOf(file, name) === `${folder}/src/index.ts`;
  };
  expect(offences(sources, isWrong)).toEqual([]);
});

test("no import cycle", () => {
  expect(cycles()).toEqual([]);
});

/** Every cycle found by depth-first search, written as the path that closes it. Type-only imports count. */
function cycles(): string[] {
  const files = new Map(sources.map((file) => [file.path, file]));
  const finished = new Set<string>();
  const found: string[] = [];
  const visit = (path: string, trail: readonly string[]): void => {
    if (trail.includes(path)) {
      found.push([...trail.slice(trail.indexOf(path)), path].join(" → "));
      return;
    }
    const file = files.get(path);
    if (file === undefined || finished.has(path)) return;
    for (const name of file.imports) {
      const target = targetOf(file, name);
      if (target !== undefined) visit(target, [...trail, path]);
    }
    finished.add(path);
  };
  for (const path of files.keys()) visit(path, []);
  return found;
}

describe("mcp-core", () => {
  test("names no product", () => {
    const naming = below("mcp-core").filter(({ text }) =>
      /postgres|mysql|mariadb|sqlite|redis/i.test(withoutComments(text)),
    );
    expect(naming.map(({ path }) => path)).toEqual([]);
  });
});

test("no default exports, no enums, no classes of statics", () => {
  const wrong = sources.filter(({ text }) =>
    /^export default|^(export )?(const )?enum |^\s+static /m.test(withoutComments(text)),
  );
  expect(wrong.map(({ path }) => path)).toEqual([]);
});

test("signals are joined by the host room, which keeps their deadlines alive", () => {
  const joining = sources.filter(
    ({ path, text }) => /^mcp-/.test(path) && withoutComments(text).includes("AbortSignal.any("),
  );
  expect(joining.map(({ path }) => path)).toEqual(["mcp-core/src/host/signals.ts"]);
});

test("built-ins are imported by their node: names", () => {
  expect(offences(sources, (name) => isBuiltin(name) && !name.startsWith("node:"))).toEqual([]);
});

test("every file starts by saying what it is for", () => {
  const silent = sources.filter(({ text }) => !/^(#!.*\n)?\/\*\*/.test(text));
  expect(silent.map(({ path }) => path)).toEqual([]);
});

test("no file is longer than 320 lines", () => {
  const long = sources.filter(({ text }) => text.split("\n").length > 320);
  expect(long.map(({ path, text }) => `${path}: ${text.split("\n").length}`)).toEqual([]);
});
