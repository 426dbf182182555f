/**
 * Writes what the READMEs say about tools, options and errors, from the built packages, between the markers
 * `<!-- generated: tools -->` and `<!-- end -->`: `node bin/generate-docs.mjs [--check] [folder…]`. With `--check` it
 * writes nothing and fails when a README is stale.
 */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { packages, root } from "./workspace.mjs";

const isCheck = process.argv.includes("--check");
const named = packages.filter((folder) => process.argv.includes(folder));
/** What each kind of section holds, for the package it stands in. @type {Record<string, (folder: string) => string | Promise<string>>} */
const sections = { tools: toolsTable, options: optionsText, errors: errorsTable };

let stale = 0;
for (const folder of named.length === 0 ? packages : named) {
  const file = `${root}/${folder}/README.md`;
  if (!existsSync(file)) continue;
  const text = readFileSync(file, "utf8");
  const written = await filled(text, folder);
  if (written === text) continue;
  stale += 1;
  if (isCheck) process.stderr.write(`${folder}/README.md is stale: run node bin/generate-docs.mjs\n`);
  else writeFileSync(file, written);
}
process.exit(isCheck && stale > 0 ? 1 : 0);

/** @param {string} text @param {string} folder */
async function filled(text, folder) {
  let result = text;
  for (const [marker, kind = ""] of text.matchAll(/<!-- generated: (\w+) -->\n[\s\S]*?<!-- end -->/g)) {
    const make = sections[kind];
    if (make === undefined) throw new Error(`${folder}/README.md asks for an unknown section: ${kind}`);
    const made = (await make(folder)).trim();
    result = result.replace(marker, () => `<!-- generated: ${kind} -->\n${made}\n<!-- end -->`);
  }
  return result;
}

/** The command of a package. @param {string} folder */
function commandOf(folder) {
  const { bin = {} } = JSON.parse(readFileSync(`${root}/${folder}/package.json`, "utf8"));
  const [file] = Object.values(bin);
  return `${root}/${folder}/${file}`;
}

/** `--help`, as the command prints it. @param {string} folder */
function optionsText(folder) {
  const environment = { ...process.env, COLUMNS: "100", NO_COLOR: "1" };
  const text = execFileSync(process.execPath, [commandOf(folder), "--help"], { encoding: "utf8", env: environment });
  return `\`\`\`text\n${text.trim()}\n\`\`\``;
}

/** The tools as a client lists them: nothing is connected for that. @param {string} folder */
async function toolsTable(folder) {
  const client = new Client({ name: "generate-docs", version: "1.0.0" });
  const source = folder === "mcp-postgres" ? "postgres://reader@localhost/shop" : "mysql://reader@localhost/shop";
  await client.connect(
    new StdioClientTransport({ command: process.execPath, args: [commandOf(folder), source], stderr: "ignore" }),
  );
  try {
    const { tools } = await client.listTools();
    const rows = tools.map(({ name, inputSchema, description = "" }) => {
      const required = inputSchema.required ?? [];
      const inputs = Object.keys(inputSchema.properties ?? {}).map((input) =>
        required.includes(input) ? `\`${input}\`` : `\`${input}?\``,
      );
      return [`\`${name}\``, inputs.join(", "), description];
    });
    return table(["tool", "input", "gives"], rows);
  } finally {
    await client.close();
  }
}

async function errorsTable() {
  /** @type {typeof import("../mcp-core/src/sql/index.js")} */
  const { sqlErrors } = await import(`${root}/mcp-core/dist/sql/index.js`);
  const words = { true: "yes", false: "no", sometimes: "sometimes" };
  const rows = Object.entries(sqlErrors).map(([code, { meaning, remedy, retryable }]) => [
    `\`${code}\``,
    meaning,
    remedy,
    words[/** @type {"true"} */ (String(retryable))],
  ]);
  return table(["code", "means", "do", "retry"], rows);
}

/** @param {readonly string[]} head @param {readonly (readonly string[])[]} rows */
function table(head, rows) {
  const line = (/** @type {readonly string[]} */ cells) =>
    `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  return [line(head), `|${"---|".repeat(head.length)}`, ...rows.map(line)].join("\n");
}
