/**
 * A folder that outlives neither us nor what runs in it. A tiny shell process reads a pipe from us; when the pipe ends,
 * because we closed it or because we died in any way, it stops the server it was told of and deletes the folder.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, chown, mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { type ServerAccount, temporaryFolder } from "./server-account.js";

/** A private folder, deleted when disposed or when this process dies. */
export interface PrivateFolder extends AsyncDisposable {
  readonly path: string;
  /** Makes a file in it the account's own. */
  handOver(file: string): Promise<void>;
  /** From now on this process dies with us, by the signal, then by SIGKILL after three seconds. */
  watch(pid: number, signal: "QUIT" | "TERM" | "KILL"): void;
  /** The watched process is gone by itself: its id may soon be somebody else's. */
  forget(): void;
}

/** Everything is an argument or comes by the pipe: nothing here is built from outside text. */
const watchdog = `
trap '' HUP INT TERM
pid=
while read -r word process signal; do
  case $word in watch) pid=$process; how=$signal ;; forget) pid= ;; esac
done
if [ -n "$pid" ]; then
  kill -s "$how" "$pid" 2>/dev/null
  tries=0
  while [ $tries -lt 30 ] && kill -s 0 "$pid" 2>/dev/null; do sleep 0.1; tries=$((tries + 1)); done
  kill -s KILL "$pid" 2>/dev/null
fi
rm -rf -- "$1"
`;

/** Opens a folder only we and the account can enter, in a temporary place or in `parent`. */
export async function openPrivateFolder(
  account: ServerAccount | undefined,
  parent?: string,
  prefix = "dbi-",
): Promise<PrivateFolder> {
  const path = await mkdtemp(join(parent ?? (await temporaryFolder(account)), prefix));
  const guard = spawn("/bin/sh", ["-c", watchdog, "sh", path], { stdio: ["pipe", "ignore", "ignore"], detached: true });
  await once(guard, "spawn");
  guard.stdin.on("error", () => {}); // A guard that is gone is noticed by its exit.
  const handOver = async (file: string) => {
    if (account !== undefined) await chown(file, account.uid, account.gid);
  };
  await handOver(path);
  await chmod(path, 0o700);
  return {
    path,
    handOver,
    watch: (pid, signal) => void guard.stdin.write(`watch ${pid} ${signal}\n`),
    forget: () => void guard.stdin.write("forget\n"),
    async [Symbol.asyncDispose]() {
      guard.stdin.end();
      await ended(guard);
      await rm(path, { recursive: true, force: true });
    },
  };
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
}
