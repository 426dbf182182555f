/** Runs a program to its end, without a shell, under the servers' account where that is asked for. */
import { spawn } from "node:child_process";
import { CodedError } from "../host/index.js";
import type { ServerAccount } from "./server-account.js";

/** How a program is run. */
export interface RunOptions {
  readonly signal: AbortSignal;
  readonly account?: ServerAccount | undefined;
  /** The whole environment; ours when absent. */
  readonly environment?: Readonly<Record<string, string>> | undefined;
  readonly workingFolder?: string | undefined;
}

/**
 * What it wrote to stdout.
 * @throws CodedError `demo_unavailable` when it can't be started or fails, with its last words; `cancelled`
 */
export async function runProgram(command: string, args: readonly string[], options: RunOptions): Promise<string> {
  const child = spawn(command, [...args], {
    cwd: options.workingFolder,
    env: options.environment ?? process.env,
    stdio: ["ignore", "pipe", "pipe"],
    ...options.account,
  });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
    stdout += chunk;
  });
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
    stderr += chunk;
  });
  const kill = () => child.kill("SIGKILL");
  options.signal.addEventListener("abort", kill, { once: true });
  if (options.signal.aborted) kill();
  const failure = await new Promise<string | undefined>((resolve) => {
    child.once("error", (error) => resolve(error.message));
    child.once("close", (code) => resolve(code === 0 ? undefined : `exit code ${code}`));
  });
  options.signal.removeEventListener("abort", kill);
  if (failure === undefined) return stdout;
  if (options.signal.aborted) throw new CodedError("cancelled", `${command} was cancelled.`);
  const lines = (stderr || stdout).split("\n").filter((line) => line.trim() !== "");
  const words = (lines.find((line) => /error|fatal/i.test(line)) ?? lines.slice(-4).join(" | ")).trim();
  throw new CodedError("demo_unavailable", `${command} failed (${failure}): ${words || "it said nothing"}`);
}
