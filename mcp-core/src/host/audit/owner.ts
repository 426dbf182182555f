/**
 * Which process writes a chain, told so that another can prove later that it is gone. What cannot be proved — another
 * machine, another container — counts as alive: a chain of its own costs a new process nothing.
 */
import { readFileSync, readlinkSync } from "node:fs";
import { hostname, userInfo } from "node:os";

/** A process among all that may share a folder. */
export interface Owner {
  readonly pid: number;
  /** The system's user it runs as. */
  readonly user: string;
  /** Host name, boot and process namespace: only within the same do process ids mean anything. */
  readonly machine: string;
  /** When it started, in the kernel's ticks; empty where the system does not tell. */
  readonly started: string;
}

/** This process. */
export function currentOwner(): Owner {
  return { pid: process.pid, user: userName(), machine: machine(), started: statOf(process.pid)?.started ?? "" };
}

/** Whether that process has surely ended. */
export function isGone(owner: Owner): boolean {
  if (owner.machine !== machine()) return false;
  try {
    process.kill(owner.pid, 0);
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "ESRCH";
  }
  const stat = statOf(owner.pid);
  return stat !== undefined && (stat.state === "Z" || stat.started !== owner.started);
}

/** The owner that a header names. */
export function toOwner({ pid, user, machine: where, started }: Readonly<Record<string, unknown>>): Owner | undefined {
  if (typeof pid !== "number" || typeof where !== "string" || typeof started !== "string") return undefined;
  return { pid, user: String(user), machine: where, started };
}

function machine(): string {
  const boot = orEmpty(() => readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim());
  const namespace = orEmpty(() => readlinkSync("/proc/self/ns/pid"));
  return [hostname(), boot, namespace].filter((part) => part !== "").join(" ");
}

/** State and start of a process, fields 3 and 22. @see https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html */
function statOf(pid: number): { readonly state: string; readonly started: string } | undefined {
  const text = orEmpty(() => readFileSync(`/proc/${pid}/stat`, "utf8"));
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const [state] = fields;
  const started = fields[19];
  return state === undefined || started === undefined ? undefined : { state, started };
}

/** A user without a name in the system, as in many containers, is known by its number. */
const userName = (): string => orEmpty(() => userInfo().username) || String(process.getuid?.() ?? "");

function orEmpty(read: () => string): string {
  try {
    return read();
  } catch {
    return "";
  }
}
