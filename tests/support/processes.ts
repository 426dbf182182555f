/** Our commands as real child processes: started from the built packages, stopped by their own process id. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

/** The built executable of a package. */
export const executable = (folder: "mcp-postgres" | "mcp-mysql" | "mcp-gateway" | "agent"): string =>
  fileURLToPath(new URL(`../../${folder}/dist/bin.js`, import.meta.url));

/** A server that listens, until disposed. */
export interface RunningServer extends AsyncDisposable {
  /** The base URL without a trailing slash. */
  readonly url: string;
  readonly child: ChildProcess;
  /** Everything it wrote to stderr so far. */
  log(): string;
  /** Everything it wrote to stdout so far. */
  printed(): string;
}

/** Starts a command that serves HTTP on a port of the system's choice and waits until it says where. */
export async function startHttpServer(
  file: string,
  args: readonly string[],
  environment: Record<string, string> = {},
): Promise<RunningServer> {
  const child = spawn(process.execPath, [file, ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, ...environment },
  });
  let log = "";
  let printed = "";
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
    printed += chunk;
  });
  const url = await new Promise<string>((resolve, reject) => {
    child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
      log += chunk;
      const found = /"url":"(http:\/\/[^"]+)"/.exec(log)?.[1];
      if (found !== undefined) resolve(new URL(found).origin);
    });
    child.once("exit", (code) => reject(new Error(`exited with ${code} before it listened:\n${log}`)));
  });
  return {
    url,
    child,
    log: () => log,
    printed: () => printed,
    async [Symbol.asyncDispose]() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const exited = once(child, "exit");
      child.kill("SIGTERM");
      const timer = setTimeout(() => child.kill("SIGKILL"), 8_000);
      await exited;
      clearTimeout(timer);
    },
  };
}
