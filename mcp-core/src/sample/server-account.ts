/**
 * Under which account a throw-away server runs, and which folders that account can reach. Database servers refuse to
 * run as root, so root's servers run as nobody; everybody else's run as themselves.
 */
import { access, constants, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

/** A user and group to change to when a process is started. */
export interface ServerAccount {
  readonly uid: number;
  readonly gid: number;
}

/** The account of `nobody` on the systems we know. */
const nobody: ServerAccount = { uid: 65_534, gid: 65_534 };

/** The account servers have to change to; undefined when they can run as whoever we are. */
export function serverAccount(): ServerAccount | undefined {
  return process.getuid?.() === 0 ? nobody : undefined;
}

/** True when the account (ours when undefined) may walk into this folder through all its parents. */
export async function isReachable(folder: string, account: ServerAccount | undefined): Promise<boolean> {
  if (account === undefined) return isWalkable(folder);
  for (let path = folder; ; path = dirname(path)) {
    const { mode, uid, gid } = await stat(path);
    const bit = uid === account.uid ? 0o100 : gid === account.gid ? 0o010 : 0o001;
    if ((mode & bit) === 0) return false;
    if (path === dirname(path)) return true;
  }
}

async function isWalkable(folder: string): Promise<boolean> {
  return access(folder, constants.X_OK).then(
    () => true,
    () => false,
  );
}

/** The first temporary folder the account can reach: the configured one, else the system's. */
export async function temporaryFolder(account: ServerAccount | undefined): Promise<string> {
  const candidates = [tmpdir(), "/tmp", "/var/tmp"];
  for (const candidate of candidates) {
    if (await isReachable(candidate, account).catch(() => false)) return candidate;
  }
  return join("/", "tmp");
}
