/** A keyv store in a folder only its owner reads: a file a key, replaced as a whole, expired ones removed when met. */
import { createHash, randomUUID } from "node:crypto";
import { EventEmitter } from "node:events";
import { chmod, mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { KeyvStoreAdapter, StoredData } from "keyv";

/** Opens the folder; it is made with its first entry. */
export class FileStore extends EventEmitter implements KeyvStoreAdapter {
  /** One of the few words by which keyv knows that a store can list its entries. */
  readonly opts = { dialect: "sqlite", url: "" } as const;
  namespace?: string | undefined;
  readonly #folder: string;
  #made: Promise<unknown> | undefined;

  constructor(folder: string) {
    super();
    this.#folder = folder;
  }

  async get<Value>(key: string): Promise<StoredData<Value> | undefined> {
    return (await read(this.#pathOf(key)))?.value as StoredData<Value> | undefined; // what set was given, by keyv
  }

  async set(key: string, value: unknown): Promise<void> {
    this.#made ??= mkdir(this.#folder, { recursive: true, mode: 0o700 }).then(() => chmod(this.#folder, 0o700));
    await this.#made;
    const path = this.#pathOf(key);
    const draft = `${path}.${randomUUID()}.new`;
    await writeFile(draft, JSON.stringify({ key, value }), { mode: 0o600 });
    await rename(draft, path);
  }

  async delete(key: string): Promise<boolean> {
    return rm(this.#pathOf(key)).then(
      () => true,
      () => false,
    );
  }

  async clear(): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true });
    this.#made = undefined;
  }

  async *iterator<Value>(): AsyncGenerator<Array<string | Awaited<Value> | undefined>, void> {
    const names = await readdir(this.#folder).catch(() => []);
    for (const name of names.filter((one) => one.endsWith(".json"))) {
      const entry = await read(join(this.#folder, name));
      if (entry !== undefined) yield [entry.key, entry.value as Awaited<Value>]; // as in get
    }
  }

  #pathOf(key: string): string {
    return join(this.#folder, `${createHash("sha256").update(key).digest("hex")}.json`);
  }
}

async function read(path: string): Promise<{ readonly key: string; readonly value: unknown } | undefined> {
  const text = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  return text === undefined ? undefined : JSON.parse(text);
}
