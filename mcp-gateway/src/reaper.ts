/**
 * The last guard against orphans: a tiny process of ours that outlives us by a second. Every server carries a mark in its
 * environment, which all it starts inherit, whatever group or session they move to. When a server has ended, the reaper
 * ends what still carries its mark; when its pipe from us ends, however we died, it ends all we had started. Needs no
 * root. What clears its environment and leaves its group as well is out of reach.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { Socket } from "node:net";
import { reaperCommand } from "./reaper-script.js";

/** The variable that holds the marks of the gateways above a process, the nearest last. */
export const markVariable = "MCP_GATEWAY_CHILD";

/** One server under the reaper's eyes. */
export interface Enrolled {
  /** What its environment must hold. */
  readonly environment: Readonly<Record<string, string>>;
  /** It runs, as the leader of its own process group. */
  started(pid: number): void;
  /** It has ended: what it left behind is ended too. */
  ended(): void;
}

/** Watches over process trees on behalf of this process; disposing it waits, a little, until they are gone. */
export interface Reaper extends AsyncDisposable {
  enroll(): Enrolled;
}

/** Milliseconds that the last processes get when the reaper is disposed. */
const lastMs = 3_000;

/** A reaper whose process starts with the first server. `inherited`: the marks this process itself carries. */
export function createReaper({ inherited = "" }: { readonly inherited?: string | undefined } = {}): Reaper {
  const all = randomBytes(8).toString("hex");
  const watched = new Set<number>();
  let running: ChildProcess | undefined;
  let servers = 0;

  function tell(line: string): void {
    if (running === undefined) {
      running = start(all, (gone) => {
        if (running === gone) running = undefined; // somebody ended it: the next line starts another, which learns of all
      });
      for (const pid of watched) running.stdin?.write(`+ ${pid}\n`);
    }
    running.stdin?.write(line);
  }

  return {
    enroll() {
      const mark = `${all}.${++servers};`;
      let pid: number | undefined;
      return {
        environment: { [markVariable]: inherited + mark },
        started(id) {
          tell(`+ ${id}\n`);
          pid = id;
          watched.add(id);
        },
        ended() {
          if (pid === undefined || !watched.delete(pid)) return;
          tell(`- ${pid} ${mark}\n`);
        },
      };
    },
    async [Symbol.asyncDispose]() {
      const last = running;
      if (last === undefined) return;
      last.ref();
      if (last.stdout instanceof Socket) last.stdout.ref();
      const gone = once(last, "close", { signal: AbortSignal.timeout(lastMs) }).catch(() => {}); // it goes on without us
      last.stdin?.end();
      await gone;
    },
  };
}

/** Its output carries nothing: it ends when the last sweep has. */
function start(all: string, onExit: (gone: ChildProcess) => void): ChildProcess {
  const command = reaperCommand(process.platform, all);
  // detached: a signal to our own group must not reach it
  const child = spawn(command.file, [...command.args], {
    stdio: ["pipe", "pipe", "ignore"],
    detached: process.platform !== "win32",
    windowsHide: true,
    env: command.environment,
    cwd: command.cwd,
  });
  child.on("error", () => onExit(child)).on("exit", () => onExit(child));
  child.stdin.on("error", () => {});
  child.stdout.on("error", () => {}).resume();
  if (child.stdout instanceof Socket) child.stdout.unref();
  child.unref();
  return child;
}
