/** The commands `audit verify` and `audit tail`, the same in every program that writes a trail. */
import { join } from "node:path";
import * as v from "valibot";
import { CodedError } from "../errors.js";
import { wholeSchema } from "../quantities.js";
import { type CommandSpec, defineCommand } from "../run-command.js";
import { setting } from "../setting.js";
import { toFileName } from "./files.js";
import { auditKeySetting } from "./settings.js";
import { type ChainReport, findChains, linesOf, verifyAudit } from "./verify.js";

const printsJson = setting(v.optional(v.boolean()), { describe: "Prints JSON.", file: false });

/** The command `audit` of a program. */
export function auditCommand({ name, version }: { readonly name: string; readonly version: string }): CommandSpec {
  const path = { name: "path", describe: "The folder given to --audit, or one of its files." };
  const verify = defineCommand({
    name: "verify",
    version,
    summary: "Recomputes the hash chains; names the first line that is not what was written.",
    positionals: [path],
    settings: {
      partial: setting(v.optional(v.boolean()), {
        describe: "Older files were put elsewhere: believes the first one that is there.",
        file: false,
      }),
      json: printsJson,
      auditKey: auditKeySetting,
    },
    examples: [[`${name} audit verify /var/log/audit`, "0 when every chain is whole, 1 when one is not"]],
    async run({ positionals, values, io }) {
      const options = { key: values.auditKey, isPartial: values.partial };
      const reports = await verifyAudit(onlyPath(positionals), options);
      io.stdout.write(values.json ? `${JSON.stringify(reports, null, 2)}\n` : reports.map(toText).join(""));
      return reports.some(({ breach }) => breach !== undefined) ? 1 : 0;
    },
  });
  const tail = defineCommand({
    name: "tail",
    version,
    summary: "Prints the newest records of all chains, in order of time, a line each.",
    positionals: [path],
    settings: {
      lines: setting(wholeSchema({ min: 1, max: 100_000 }), {
        describe: "How many.",
        alias: "n",
        default: 20,
        file: false,
      }),
    },
    examples: [[`${name} audit tail /var/log/audit --lines 100`, "the last hundred"]],
    async run({ positionals, values, io }) {
      const records = await newest(onlyPath(positionals), values.lines);
      for (const record of records) io.stdout.write(`${record}\n`);
      return 0;
    },
  });
  return {
    name: "audit",
    version,
    summary: "Verifies and shows an audit trail.",
    settings: {},
    commands: [verify, tail],
    examples: [
      [`${name} audit verify /var/log/audit`, "whether it is whole"],
      [`${name} audit tail /var/log/audit`, "the newest records"],
    ],
    async run() {
      throw new CodedError("usage", "There is nothing to do.", { hint: "Say audit verify or audit tail." });
    },
  };
}

function onlyPath([path, ...more]: readonly string[]): string {
  if (path !== undefined && more.length === 0) return path;
  throw new CodedError("usage", "Exactly one path is needed.", { hint: "Name the folder given to --audit." });
}

/** A chain in a few lines for people. */
function toText({ chain, files, records, from, to, breach, notes }: ChainReport): string {
  const extent = `${records} records in ${files} ${files === 1 ? "file" : "files"}${from === undefined ? "" : `, ${from} to ${to}`}`;
  const lines =
    breach === undefined
      ? [`whole: ${chain}: ${extent}`]
      : [
          `BROKEN: ${chain}: ${breach.file}:${breach.line}: ${breach.kind}. ${breach.message}`,
          `  whole before it: ${extent}`,
        ];
  return `${[...lines, ...notes.map((note) => `  note: ${note}`)].join("\n")}\n`;
}

async function newest(path: string, count: number): Promise<readonly string[]> {
  const { folder, chains } = await findChains(path);
  const found: { readonly time: string; readonly line: string }[] = [];
  for (const { chain, files } of chains) {
    let lines: string[] = [];
    for (const file of [...files].reverse()) {
      const older: string[] = [];
      for await (const { text, isWhole } of linesOf(join(folder, toFileName(chain, file)))) {
        if (isWhole) older.push(text);
        if (older.length > 2 * count) older.splice(0, count);
      }
      lines = [...older.slice(-count), ...lines].slice(-count);
      if (lines.length === count) break;
    }
    found.push(...lines.map((line) => ({ time: /"time":"([^"]*)"/.exec(line)?.[1] ?? "", line })));
  }
  return found
    .sort((one, other) => (one.time < other.time ? -1 : one.time > other.time ? 1 : 0))
    .slice(-count)
    .map(({ line }) => line);
}
