/** What is published: manifests that name all they need and nothing of where it came from. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { packages, root, sources } from "./sources.js";

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly private?: boolean;
  readonly bin?: Readonly<Record<string, string>>;
  readonly files?: readonly string[];
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly scripts?: Readonly<Record<string, string>>;
}

const read = (path: string) => readFileSync(join(root, path), "utf8");
const manifestOf = (folder: string): Manifest => JSON.parse(read(join(folder, "package.json")));

/** Names of packages that sources of these folders import. */
function importedBy(...folders: string[]): Set<string> {
  const files = sources.filter(({ path }) => folders.some((folder) => path.startsWith(`${folder}/`)));
  const external = files
    .flatMap(({ imports }) => imports)
    .filter((name) => /^[a-z@]/.test(name) && !name.startsWith("node:"));
  return new Set(
    external.map((name) =>
      name
        .split("/")
        .slice(0, name.startsWith("@") ? 2 : 1)
        .join("/"),
    ),
  );
}

describe.each(packages)("%s", (folder) => {
  const manifest = manifestOf(folder);

  test("is ours to publish", () => {
    expect(manifest.name).toBe(`@database-interface/${folder}`);
    expect(manifest.version).toBe(JSON.parse(read("package.json")).version);
    expect(manifest.private).toBeUndefined();
    expect(manifest.files).toContain("dist");
    expect(read(join(folder, "LICENSE"))).toContain("MIT License");
  });

  test("names every package it needs at run time", () => {
    const declared = { ...manifest.dependencies, ...manifest.optionalDependencies, ...manifest.peerDependencies };
    const needed = [...importedBy(folder)].filter((name) => !name.startsWith("@database-interface/"));
    expect(needed.filter((name) => !(name in declared))).toEqual([]);
  });

  test("needs nothing of the workspace at run time: it is bundled in", () => {
    expect(Object.keys(manifest.dependencies ?? {}).filter((name) => name.startsWith("@database-interface/"))).toEqual(
      [],
    );
  });

  test("pins exact versions", () => {
    const all = { ...manifest.dependencies, ...manifest.devDependencies, ...manifest.optionalDependencies };
    expect(Object.entries(all).filter(([, version]) => !/^\d+\.\d+\.\d+/.test(version))).toEqual([]);
  });

  test("runs nothing when it is installed", () => {
    expect(Object.keys(manifest.scripts ?? {}).filter((name) => /install|prepare/.test(name))).toEqual([]);
  });
});

test.each(["mcp-postgres", "mcp-mysql"])("%s brings what the bundled mcp-core needs", (folder) => {
  const declared = manifestOf(folder).dependencies ?? {};
  const core = manifestOf("mcp-core").dependencies ?? {};
  const needed = importedBy("mcp-core/src/host", "mcp-core/src/sql", "mcp-core/src/sample");
  const wrong = Object.entries(core).filter(([name, version]) => needed.has(name) && declared[name] !== version);
  expect(wrong).toEqual([]);
});

test("mcp-gateway brings what the bundled host room needs", () => {
  const declared = manifestOf("mcp-gateway").dependencies ?? {};
  const core = manifestOf("mcp-core").dependencies ?? {};
  const needed = importedBy("mcp-core/src/host");
  expect(Object.entries(core).filter(([name, version]) => needed.has(name) && declared[name] !== version)).toEqual([]);
});

describe("the lockfile", () => {
  const lock: { packages: Record<string, { resolved?: string; link?: boolean }> } = JSON.parse(
    read("package-lock.json"),
  );

  test("names no registry host", () => {
    const resolved = Object.entries(lock.packages).filter(([, entry]) => entry.resolved !== undefined && !entry.link);
    expect(resolved).toEqual([]);
    expect(read("package-lock.json")).not.toMatch(/"resolved": "https?:/);
  });

  test("holds the server binaries for every platform we name, gated by platform", () => {
    const { optionalDependencies = {} } = manifestOf(".");
    for (const name of Object.keys(optionalDependencies)) {
      expect(lock.packages[`node_modules/${name}`]).toMatchObject({ optional: true, os: [expect.any(String)] });
    }
  });
});
