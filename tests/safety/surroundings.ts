/** What an attack could reach outside of the database: a file it should not read, a folder it could write, a listener. */
import { chmod, mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface Surroundings extends AsyncDisposable {
  /** Where a server can write. */
  readonly out: string;
  /** A file with text of ours, readable for a server. */
  readonly secretFile: string;
  /** A port on loopback that counts who connects. */
  readonly port: string;
  /** The files in `out`, and how often somebody connected. */
  state(): Promise<{ readonly files: readonly string[]; readonly connections: number }>;
  /** Takes the files away again. */
  clear(): Promise<void>;
}

export async function openSurroundings(): Promise<Surroundings> {
  const folder = await mkdtemp(join(tmpdir(), "safety-"));
  const out = join(folder, "out");
  const secretFile = join(folder, "secret.txt");
  await mkdir(out);
  // Whatever account a server runs as: what it cannot write proves nothing.
  for (const path of [folder, out]) await chmod(path, 0o777);
  await writeFile(secretFile, "root:x:0:0\npasswd\n", { mode: 0o644 });
  let connections = 0;
  const listener = createServer((socket) => {
    connections++;
    socket.destroy();
  });
  await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
  const address = listener.address();
  return {
    out,
    secretFile,
    port: typeof address === "object" && address !== null ? String(address.port) : "",
    state: async () => ({ files: await readdir(out), connections }),
    async clear() {
      connections = 0;
      for (const name of await readdir(out)) await rm(join(out, name), { recursive: true, force: true });
    },
    async [Symbol.asyncDispose]() {
      listener.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
