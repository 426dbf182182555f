/**
 * Things that take seconds to build and are built once per machine: server binaries made reachable, data folders
 * already filled. A finished thing appears by one rename; two builders wait for each other.
 */
import { randomUUID } from "node:crypto";
import { constants } from "node:fs";
import {
  access,
  chmod,
  cp,
  lchown,
  link,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  writeFile,
} from "node:fs/promises";
import { homedir } from "node:os";
import { basename, dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { CodedError } from "../host/index.js";
import { runProgram } from "./run-program.js";
import { isReachable, type ServerAccount, temporaryFolder } from "./server-account.js";

const folderName = "database-interface";
/** A lock this old belongs to a builder on another machine or in another container that died. */
const staleLockMs = 180_000;

/**
 * The cache folder: XDG_CACHE_HOME or the usual place, else a temporary one; owned by us, written by nobody else, and
 * within reach of the servers' account.
 * @throws CodedError `demo_unavailable` when there is none
 */
export async function openCacheFolder(account: ServerAccount | undefined): Promise<string> {
  const configured = process.env.XDG_CACHE_HOME;
  const candidates = [
    ...(configured === undefined || configured === "" ? [] : [join(configured, folderName)]),
    account === undefined ? join(homedir(), ".cache", folderName) : join("/var/cache", folderName),
    join(await temporaryFolder(account), `${folderName}-${process.getuid?.() ?? 0}`),
  ];
  for (const candidate of candidates) {
    if (await isOurs(candidate, account).catch(() => false)) return candidate;
  }
  throw new CodedError("demo_unavailable", "There is no folder for the cache that only this user can write.", {
    hint: "Set XDG_CACHE_HOME to a folder this user owns and other users can enter.",
  });
}

async function isOurs(folder: string, account: ServerAccount | undefined): Promise<boolean> {
  await mkdir(folder, { recursive: true, mode: 0o755 });
  const { uid, mode } = await lstat(folder);
  if (uid !== process.getuid?.() || (mode & 0o022) !== 0) return false;
  await access(folder, constants.W_OK);
  return isReachable(folder, account);
}

/**
 * The thing at `target`, built by `build` into a folder next to it when it is not there yet. A finished thing can be
 * entered by us alone unless `shared`.
 */
export async function buildOnce(
  target: string,
  { signal, shared = false }: { readonly signal: AbortSignal; readonly shared?: boolean },
  build: (folder: string) => Promise<void>,
): Promise<void> {
  if (await exists(target)) return;
  await mkdir(dirname(target), { recursive: true, mode: 0o755 });
  await using _lock = await acquireLock(`${target}.lock`, signal);
  if (await exists(target)) return;
  await removeAbandoned(target);
  const folder = await mkdtemp(`${target}.building-${process.pid}-`);
  try {
    await chmod(folder, 0o755);
    await build(folder);
    await chmod(folder, shared ? 0o755 : 0o700);
    await rename(folder, target);
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
}

const exists = (path: string): Promise<boolean> =>
  lstat(path).then(
    () => true,
    () => false,
  );

/** A file holding the builder's process id, made in one step, so that it is never seen half written. */
async function acquireLock(path: string, signal: AbortSignal): Promise<AsyncDisposable> {
  const own = `${path}.${randomUUID()}`;
  await writeFile(own, String(process.pid));
  try {
    for (;;) {
      try {
        await link(own, path);
        break;
      } catch (error) {
        if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
      }
      if (await isAbandoned(path)) await rm(path, { force: true });
      else await sleep(100, undefined, { signal }).catch(cancelled);
    }
  } finally {
    await rm(own, { force: true });
  }
  return { [Symbol.asyncDispose]: () => rm(path, { force: true }) };
}

function cancelled(): never {
  throw new CodedError("cancelled", "Waiting for another process to fill the cache was cancelled.");
}

async function isAbandoned(path: string): Promise<boolean> {
  try {
    const { mtimeMs } = await lstat(path);
    return Date.now() - mtimeMs > staleLockMs || !isAlive(Number(await readFile(path, "utf8")));
  } catch {
    return false; // Gone meanwhile: the next try takes it.
  }
}

async function removeAbandoned(target: string): Promise<void> {
  const prefix = `${basename(target)}.building-`;
  for (const name of await readdir(dirname(target))) {
    if (!name.startsWith(prefix) || isAlive(Number.parseInt(name.slice(prefix.length), 10))) continue;
    await rm(join(dirname(target), name), { recursive: true, force: true });
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}

/** Copies a folder with owners, modes and links; shares the blocks where the file system can. */
export async function copyFolder(
  from: string,
  to: string,
  { account, signal }: { readonly account: ServerAccount | undefined; readonly signal: AbortSignal },
): Promise<void> {
  try {
    await runProgram("cp", ["-a", "--reflink=auto", from, to], { signal });
  } catch (error) {
    if (signal.aborted) throw error;
    await rm(to, { recursive: true, force: true }); // A cp without those options: do it ourselves.
    await cp(from, to, { recursive: true, verbatimSymlinks: true, mode: constants.COPYFILE_FICLONE });
    if (account !== undefined) await handOver(to, account);
  }
}

async function handOver(folder: string, { uid, gid }: ServerAccount): Promise<void> {
  for (const name of await readdir(folder, { recursive: true })) await lchown(join(folder, name), uid, gid);
  await lchown(folder, uid, gid);
}
