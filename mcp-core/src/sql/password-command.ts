/** Passwords from a command of the operator's, such as a cloud's token tool: asked anew for every connection. */
import { exec } from "node:child_process";
import { CodedError } from "../host/errors.js";

const deadlineMs = 15_000;
const maxOutputBytes = 64 * 1024;

/**
 * A function that runs the command in a shell and resolves to the first line it prints. Calls at the same time share one
 * run. Neither output nor command line ever reaches a message.
 * @throws CodedError `authentication_failed`
 */
export function createPasswordCommand(command: string): () => Promise<string> {
  let running: Promise<string> | undefined;
  return () => {
    running ??= run(command).finally(() => {
      running = undefined;
    });
    return running;
  };
}

function run(command: string): Promise<string> {
  return new Promise((resolve, reject) => {
    exec(command, { timeout: deadlineMs, maxBuffer: maxOutputBytes, windowsHide: true }, (error, stdout) => {
      const [password = ""] = stdout.split(/\r?\n/);
      if (error === null && password !== "") return resolve(password);
      reject(
        new CodedError("authentication_failed", `The password command ${toReason(error)}.`, {
          hint: "Run the command of --password-command by hand: it must print the password and end with code 0.",
        }),
      );
    });
  });
}

function toReason(error: { readonly killed?: boolean; readonly code?: number | string | null } | null): string {
  if (error === null) return "printed nothing";
  if (error.killed) return `did not end within ${deadlineMs / 1_000} s`;
  return typeof error.code === "number" ? `ended with code ${error.code}` : "could not be run";
}
