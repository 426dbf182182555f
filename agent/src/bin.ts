#!/usr/bin/env node
/** `db-agent` as a process: streams, exit code, and nothing else. */
import { main } from "./command.js";

process.title = "db-agent"; // takes the place of argv in process lists: a URL there may hold a password
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  process.exit(error.code === "EPIPE" ? 0 : 1); // the reader has had enough
});
process.exitCode = await main(process.argv.slice(2), {
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  environment: process.env,
});
