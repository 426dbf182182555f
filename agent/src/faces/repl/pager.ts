/** Long output through the user's pager, and the user's editor on a text: other programs that have the terminal a while. */
import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Environment } from "../../config-file.js";
import { AgentError } from "../../errors.js";

/** The pager that is asked for: `PAGER`, else less; undefined when it is empty or cat. */
export function pagerOf({ PAGER: pager = "less" }: Environment): string | undefined {
  return pager.trim() === "" || pager.trim() === "cat" ? undefined : pager;
}

/** Shows a text in the pager until it is left; false when there is no such program. */
export async function showInPager(pager: string, text: string, environment: Environment): Promise<boolean> {
  const { LESS: flags = "FRSX" } = environment; // leaves at once what fits, keeps colours, does not fold, keeps the screen
  const child = spawn(pager, {
    shell: true,
    stdio: ["pipe", "inherit", "inherit"],
    env: { ...environment, LESS: flags },
  });
  child.stdin.on("error", () => {}); // left before it had read everything
  child.stdin.end(text);
  return (await endOf(child)) !== notFound;
}

/** A text after the user's editor (`VISUAL`, `EDITOR`, else vi) has had it, in a file of this name. @throws AgentError `editor_failed` */
export async function editText(text: string, environment: Environment, name = "statement.sql"): Promise<string> {
  const { VISUAL: visual = "", EDITOR: editor = "" } = environment;
  const program = visual || editor || "vi";
  const folder = await mkdtemp(join(tmpdir(), "db-agent-edit-")); // made with mode 0700
  try {
    const file = join(folder, name);
    await writeFile(file, text, { mode: 0o600 });
    const quoted = `'${file.replaceAll("'", "'\\''")}'`;
    const code = await endOf(spawn(`${program} ${quoted}`, { shell: true, stdio: "inherit", env: { ...environment } }));
    if (code !== 0) {
      throw new AgentError("editor_failed", `The editor ${program} ended with ${code}.`, {
        hint: "Set VISUAL or EDITOR to the one you use.",
      });
    }
    return await readFile(file, "utf8");
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** What a shell answers for a program it cannot find. */
const notFound = 127;

function endOf(child: ReturnType<typeof spawn>): Promise<number> {
  return new Promise((resolve) => {
    child.once("error", () => resolve(notFound));
    child.once("close", (code) => resolve(code ?? 0));
  });
}
