/**
 * Private, throw-away database servers, whatever their product: a data folder is prepared (and filled) once per machine
 * and kept in the cache; every instance runs on a copy of its own. The product's part comes as a recipe.
 */
import { randomBytes } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { buildOnce, copyFolder, openCacheFolder } from "./cache.js";
import { openPrivateFolder, type PrivateFolder } from "./private-folder.js";
import type { PrivateServer } from "./private-server.js";
import { type ServerAccount, serverAccount } from "./server-account.js";

/** How one product's server is prepared and run. */
export interface InstanceRecipe {
  /** Product and version; part of a folder's name. */
  readonly name: string;
  /** Makes the data folder in `folder`, and there whatever the first start needs to set the administrator's password. */
  prepare(folder: InstanceFolder, password: string): Promise<void>;
  /** Starts the server on that folder; `isFirst` while the template is being built, `port` where it is started again. */
  start(folder: InstanceFolder, isFirst: boolean, port?: number): Promise<PrivateServer>;
  /** The signal for a shutdown that writes everything. */
  readonly cleanStop: NodeJS.Signals;
  /** A URL as administrator, or as another user with the same password. */
  url(port: number, password: string, database: string, user?: string): string;
}

/** A server's own folder. */
export interface InstanceFolder {
  readonly folder: PrivateFolder;
  readonly dataFolder: string;
  readonly account: ServerAccount | undefined;
}

/** What a new instance holds: nothing, or what `fill` put there when this machine saw the key for the first time. */
export interface InstanceContent {
  /** Names the content and its version; part of a folder's name. */
  readonly key: string;
  fill(instance: RunningInstance): Promise<void>;
}

/** A running server as its administrator sees it. */
export interface RunningInstance {
  readonly port: number;
  /** The administrator's password, and a fit one for every user of a throw-away server. */
  readonly password: string;
  /** A URL as administrator, or as another user with the same password. */
  url(database: string, user?: string): string;
}

/** An instance of our own, stopped and deleted when disposed. */
export interface Instance extends RunningInstance, AsyncDisposable {
  /** Settles when the server has ended, for whatever reason. */
  readonly closed: Promise<void>;
  /** Has the server's process ended as `end` likes, and starts it again on the same data and port. */
  restart(end: (pid: number) => void | Promise<void>): Promise<void>;
}

const nothing: InstanceContent = { key: "empty", fill: async () => {} };

/**
 * Starts an instance: a fraction of a second once its content is in the cache, some seconds the first time.
 * @throws CodedError `demo_unavailable`, `cancelled`
 */
export async function openInstance(
  recipe: InstanceRecipe,
  { content = nothing, signal }: { readonly content?: InstanceContent | undefined; readonly signal: AbortSignal },
): Promise<Instance> {
  const account = serverAccount();
  const template = join(await openCacheFolder(account), `${recipe.name}-${content.key}`);
  await buildOnce(template, { signal }, (target) => buildTemplate(recipe, content, target, signal));
  const password = await readFile(join(template, "password"), "utf8");
  const folder = await openPrivateFolder(account);
  try {
    const dataFolder = join(folder.path, "data");
    await copyFolder(join(template, "data"), dataFolder, { account, signal });
    const place = { folder, dataFolder, account };
    let server = await recipe.start(place, false);
    return {
      ...running(recipe, server, password),
      closed: server.closed,
      async restart(end) {
        await end(server.pid);
        await server.closed;
        server = await recipe.start(place, false, server.port);
      },
      async [Symbol.asyncDispose]() {
        await server[Symbol.asyncDispose]();
        await folder[Symbol.asyncDispose]();
      },
    };
  } catch (error) {
    await folder[Symbol.asyncDispose]();
    throw error;
  }
}

/** A data folder with the content, cleanly shut down, and the administrator's password beside it. */
async function buildTemplate(
  recipe: InstanceRecipe,
  content: InstanceContent,
  target: string,
  signal: AbortSignal,
): Promise<void> {
  const account = serverAccount();
  const password = randomBytes(18).toString("base64url");
  await writeFile(join(target, "password"), password, { mode: 0o600 });
  await using folder = await openPrivateFolder(account, target, "work-");
  const dataFolder = join(folder.path, "data");
  await recipe.prepare({ folder, dataFolder, account }, password);
  const server = await recipe.start({ folder, dataFolder, account }, true);
  try {
    await content.fill(running(recipe, server, password));
  } finally {
    await server.stop(recipe.cleanStop);
  }
  await copyFolder(dataFolder, join(target, "data"), { account, signal });
}

const running = (recipe: InstanceRecipe, { port }: PrivateServer, password: string): RunningInstance => ({
  port,
  password,
  url: (database, user) => recipe.url(port, password, database, user),
});

/** Writes a file that only the server's account can read. */
export async function writePrivateFile({ folder }: InstanceFolder, name: string, text: string): Promise<string> {
  const path = join(folder.path, name);
  await writeFile(path, text, { mode: 0o600 });
  await folder.handOver(path);
  return path;
}
