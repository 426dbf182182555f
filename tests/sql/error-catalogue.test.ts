/** Every code the servers use has a row in the catalogue, and every row says something. */
import { readdir, readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { sqlErrors } from "../../mcp-core/src/sql/error-catalogue.js";

const root = fileURLToPath(new URL("../..", import.meta.url));
const folders = ["mcp-core/src/host", "mcp-core/src/sql", "mcp-postgres/src", "mcp-mysql/src"];
const thrown = /new (?:CodedError|StatementError)\(\s*"([a-z_]+)"/g;
const documented = /@throws CodedError ((?:`[a-z_]+`(?:, | and )?)+)/g;

async function sources(): Promise<readonly string[]> {
  const texts = folders.map(async (folder) => {
    const files = await readdir(`${root}/${folder}`, { recursive: true });
    const typed = files.filter((file) => file.endsWith(".ts"));
    return Promise.all(typed.map((file) => readFile(`${root}/${folder}/${file}`, "utf8")));
  });
  return (await Promise.all(texts)).flat();
}

test("every code that is thrown or documented is in the catalogue", async () => {
  const codes = (await sources()).flatMap((text) => [
    ...[...text.matchAll(thrown)].map(([, code]) => code),
    ...[...text.matchAll(documented)].flatMap(([, list = ""]) =>
      [...list.matchAll(/[a-z_]+/g)].map(([code]) => code).filter((code) => code !== "and"),
    ),
  ]);
  expect(codes.length).toBeGreaterThan(50);
  expect([...new Set(codes)].filter((code) => code === undefined || !Object.hasOwn(sqlErrors, code))).toEqual([]);
});

test("the codes are stable", () => {
  expect(Object.keys(sqlErrors).sort()).toMatchSnapshot();
});

test("every row has a meaning and a remedy, a sentence each", () => {
  for (const { meaning, remedy } of Object.values(sqlErrors)) {
    expect(meaning).toMatch(/^[A-Z].*\.$/);
    expect(remedy).toMatch(/^[A-Z].*[.!]$/);
  }
});
