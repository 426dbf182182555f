#!/usr/bin/env node
/** `db-agent` as a process: streams, exit code, and nothing else. */
import { readFileSync } from "node:fs";

process.title = "db-agent"; // takes the place of argv in process lists: a URL there may hold a password
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  process.exit(error.code === "EPIPE" ? 0 : 1); // the reader has had enough
});
process.stderr.on("error", () => {}); // nobody listens to what goes on beside the result
const argv = process.argv.slice(2);
const help = argv.length === 1 && /^(-h|--help)$/.test(argv[0] ?? "") ? readHelp() : undefined;
if (help === undefined) {
  const { main } = await import("./command.js");
  const { stdin, stdout, stderr, env: environment } = process;
  process.exitCode = await main(argv, { stdin, stdout, stderr, environment });
} else process.stdout.write(help);

/** The help as the build has written it down: laying it out takes longer than all else. */
function readHelp(): string | undefined {
  try {
    return readFileSync(new URL("help.txt", import.meta.url), "utf8");
  } catch {
    return undefined;
  }
}
