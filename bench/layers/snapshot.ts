/** A private server whose data folder is kept as it was, to be put back after whatever happened to it. */
import { rm } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { copyFolder, type Instance, openPrivateFolder, serverAccount } from "@database-interface/mcp-core/sample";

export interface Snapshot extends AsyncDisposable {
  restore(): Promise<void>;
}

/** @param stop how to end the server at once, with everything that belongs to it */
export async function takeSnapshot(
  server: Instance,
  dataFolder: string,
  stop: { readonly clean: NodeJS.Signals; readonly now: NodeJS.Signals },
): Promise<Snapshot> {
  const account = serverAccount();
  const { signal } = new AbortController();
  const keep = await openPrivateFolder(account);
  const copy = `${keep.path}/data`;
  await server.restart(async (pid) => {
    await end(pid, stop.clean);
    await copyFolder(dataFolder, copy, { account, signal });
  });
  return {
    restore: () =>
      server.restart(async (pid) => {
        await end(pid, stop.now);
        await rm(dataFolder, { recursive: true, force: true });
        await copyFolder(copy, dataFolder, { account, signal });
      }),
    [Symbol.asyncDispose]: () => keep[Symbol.asyncDispose](),
  };
}

async function end(pid: number, signal: NodeJS.Signals): Promise<void> {
  try {
    process.kill(pid, signal);
    for (;;) {
      process.kill(pid, 0);
      await sleep(10);
    }
  } catch {
    // It is gone.
  }
}
