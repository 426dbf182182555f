/** Passwords from a command of the operator's, such as a cloud's token tool: asked anew for every connection. */
import { type ChildProcess, spawn } from "node:child_process";
import { CodedError } from "../host/errors.js";

const maxOutputBytes = 64 * 1024;

/**
 * A function that runs the command in a shell and resolves to the first line it prints. Calls at the same time share one
 * run; one that does not end in time (15 s when not said) is stopped with everything it started. Neither output nor
 * command line ever reaches a message.
 * @throws CodedError `authentication_failed`
 */
export function createPasswordCommand(command: string, deadlineMs = 15_000): () => Promise<string> {
  let running: Promise<string> | undefined;
  return () => {
    running ??= run(command, deadlineMs).finally(() => {
      running = undefined;
    });
    return running;
  };
}

async function run(command: string, deadlineMs: number): Promise<string> {
  // A group of its own, so that what the shell has started ends with it.
  const child = spawn(command, {
    shell: true,
    detached: process.platform !== "win32",
    stdio: ["ignore", "pipe", "ignore"],
    windowsHide: true,
  });
  let output = "";
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    stop(child);
  }, deadlineMs);
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    output += text;
    if (output.length > maxOutputBytes) stop(child);
  });
  const code = await new Promise<number | undefined>((resolve) => {
    child.once("error", () => resolve(undefined)).once("close", (ended) => resolve(ended ?? undefined));
  });
  clearTimeout(timer);
  const [password = ""] = output.split(/\r?\n/);
  if (code === 0 && password !== "") return password;
  const reason = isLate ? `did not end within ${deadlineMs / 1_000} s` : toReason(code);
  throw new CodedError("authentication_failed", `The password command ${reason}.`, {
    hint: "Run the command of --password-command by hand: it must print the password and end with code 0.",
  });
}

function stop(child: ChildProcess): void {
  child.stdout?.destroy();
  try {
    if (process.platform === "win32" || child.pid === undefined) child.kill("SIGKILL");
    else process.kill(-child.pid, "SIGKILL");
  } catch {
    // It has just ended.
  }
}

function toReason(code: number | undefined): string {
  if (code === 0) return "printed nothing";
  return code === undefined ? "could not be run" : `ended with code ${code}`;
}
