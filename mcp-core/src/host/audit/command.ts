/** The commands `audit verify` and `audit tail`, the same in every program that writes a trail. */
import * as v from "valibot";
import { CodedError } from "../errors.js";
import { outputSetting } from "../output-setting.js";
import { wholeSchema } from "../quantities.js";
import { type CommandSpec, defineCommand } from "../run-command.js";
import { setting } from "../setting.js";
import { followRecords, newestRecords } from "./follow.js";
import { auditKeySetting } from "./settings.js";
import { type ChainReport, verifyAudit } from "./verify.js";

/** Records are shown whose field is exactly this. */
const only = (what: string) =>
  setting(v.optional(v.string()), { describe: `Only records of this ${what}.`, placeholder: what, file: false });

const filterSettings = {
  event: only("event"),
  principal: only("principal"),
  session: only("session"),
  source: only("source"),
  tool: only("tool"),
  outcome: only("outcome"),
};

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
      output: outputSetting,
      auditKey: auditKeySetting,
    },
    examples: [
      [`${name} audit verify /var/log/audit`, "0 when every chain is whole, 1 when one is not"],
      [`${name} audit verify /var/log/audit --output json`, "a report for each chain, with what is wrong and where"],
    ],
    async run({ positionals, values, io }) {
      const options = { key: values.auditKey, isPartial: values.partial };
      const reports = await verifyAudit(onlyPath(positionals), options);
      io.stdout.write(
        values.output === "json" ? `${JSON.stringify(reports, null, 2)}\n` : reports.map(toText).join(""),
      );
      return reports.some(({ breach }) => breach !== undefined) ? 1 : 0;
    },
  });
  const tail = defineCommand({
    name: "tail",
    version,
    summary: "Prints the newest records of all chains, in order of time, a JSON line each.",
    positionals: [path],
    settings: {
      lines: setting(wholeSchema({ min: 0, max: 100_000 }), {
        describe: "How many.",
        alias: "n",
        default: 20,
        file: false,
      }),
      follow: setting(v.optional(v.boolean()), {
        describe: "Goes on with what is written, until it is stopped.",
        alias: "f",
        file: false,
      }),
      ...filterSettings,
    },
    examples: [
      [`${name} audit tail /var/log/audit --lines 100`, "the last hundred"],
      [`${name} audit tail /var/log/audit -f --principal ada`, "what ada does, as she does it"],
      [`${name} audit tail /var/log/audit --outcome read_only`, "the last attempts to write where one may only read"],
    ],
    async run({ positionals, values, io: { signal, stdout } }) {
      const folder = onlyPath(positionals);
      const { lines: count, follow, event, principal, session, source, tool, outcome } = values;
      const wanted = { event, principal, session, source, tool, outcome };
      const { lines, readUpTo } = await newestRecords(folder, count, wanted);
      for (const line of lines) stdout.write(`${line}\n`);
      if (follow !== true) return 0;
      for await (const line of followRecords(folder, { readUpTo, wanted, signal })) stdout.write(`${line}\n`);
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
