/** What is around the program: Node, the terminal, and files that are nobody else's business. */
import { accessSync, constants } from "node:fs";
import { access, readdir, stat } from "node:fs/promises";
import { delimiter, join } from "node:path";
import type { Environment } from "../../config-file.js";
import { knowledgeFolder } from "../../knowledge/notes.js";
import { sessionsFolder } from "../../store/open-store.js";
import type { Io } from "../io.js";
import { historyFile } from "../repl/history.js";
import { type Finding, failed, ok, skipped, warning } from "./finding.js";

/** The least that works; what package.json's engines say. */
const leastNode = [20, 19] as const;

/** Node's version. */
export function checkNode(version = process.versions.node): Finding {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const [leastMajor, leastMinor] = leastNode;
  const isNewEnough = major > leastMajor || (major === leastMajor && minor >= leastMinor);
  if (isNewEnough) return ok("node", `Node ${version}`);
  return failed("node", `Node ${version} is too old.`, `Install Node ${leastNode.join(".")} or newer.`);
}

/** What a terminal can do, where there is one. */
export function checkTerminal({ stdin, stdout, environment }: Io): Finding {
  if (!stdin.isTTY || !stdout.isTTY)
    return skipped("terminal", "Input or output is no terminal: nothing is asked there.");
  const { TERM: term = "", LC_ALL: all = "", LC_CTYPE: ctype = "", LANG: lang = "" } = environment;
  const size = `${stdout.columns} × ${stdout.rows}, ${term || "no TERM"}`;
  if (term === "" || term === "dumb") {
    return warning("terminal", `${size}: no colours and no editing.`, "Set TERM, such as TERM=xterm-256color.");
  }
  if (!/utf-?8/i.test(all || ctype || lang)) {
    return warning("terminal", `${size}: its locale is not UTF-8.`, "Set LANG, such as LANG=C.UTF-8.");
  }
  if (stdout.columns < 40) {
    return warning("terminal", `${size}: tables are shown one value a line.`, "Make the window wider.");
  }
  return ok("terminal", `${size}, ${stdout.getColorDepth(environment)} bits of colour`);
}

/** The programs that have the terminal a while. */
export function checkPrograms(environment: Environment): readonly Finding[] {
  const { PAGER: pager = "less", VISUAL: visual = "", EDITOR: editor = "" } = environment;
  const look = (check: string, command: string, remedy: string): Finding => {
    const [program = ""] = command.trim().split(/\s+/);
    return isOnPath(program, environment) ? ok(check, command) : warning(check, `There is no ${program}.`, remedy);
  };
  return [
    look(
      "editor",
      visual || editor || "vi",
      "Set VISUAL or EDITOR to the one you use: \\e, notes edit and approvals want it.",
    ),
    pager.trim() === "" ? skipped("pager", "PAGER is empty: nothing is paged.") : look("pager", pager, "Set PAGER."),
  ];
}

/** Files and folders of ours: nobody but their owner may read them. */
export async function checkFiles(environment: Environment): Promise<readonly Finding[]> {
  return Promise.all([
    checkPrivate("history", historyFile(environment)),
    checkPrivate("sessions folder", sessionsFolder(environment)),
    checkPrivate("knowledge folder", knowledgeFolder(environment)),
  ]);
}

/** Files that secrets are read from. */
export async function checkSecretFiles(environment: Environment): Promise<readonly Finding[]> {
  const names = Object.keys(environment).filter((name) => /^(?:MCP|DB_AGENT|PG|MYSQL)_?\w*_FILE$/.test(name));
  return Promise.all(
    names.flatMap((name) => {
      const file = environment[name] ?? "";
      return file === "" ? [] : [checkReadable(name, file)];
    }),
  );
}

async function checkReadable(name: string, file: string): Promise<Finding> {
  const isReadable = await access(file, constants.R_OK).then(
    () => true,
    () => false,
  );
  if (!isReadable) return failed(name, `${file} cannot be read.`, `Correct ${name}, or the file's owner.`);
  return checkPrivate(name, file);
}

async function checkPrivate(check: string, path: string): Promise<Finding> {
  const open = await openTo(path);
  if (open === undefined) return ok(check, `${path}: not there yet`);
  if (open.length === 0) return ok(check, `${path}, its owner's alone`);
  const [first = path, ...others] = open;
  const more = others.length === 0 ? "" : ` and ${others.length} more`;
  return warning(check, `${first}${more} can be read by others.`, `chmod -R go= '${path}'`);
}

/** What below a path others may read; undefined where there is nothing. */
async function openTo(path: string): Promise<readonly string[] | undefined> {
  const found = await stat(path).catch(() => undefined);
  if (found === undefined) return undefined;
  if (process.platform === "win32") return []; // its modes say nothing
  const own = (found.mode & 0o077) === 0 ? [] : [path];
  if (!found.isDirectory() || own.length === 0) return own; // a closed folder closes what is in it
  const names = await readdir(path).catch(() => []);
  const below = await Promise.all(names.slice(0, 1_000).map((name) => openTo(join(path, name))));
  return [...own, ...below.flatMap((one) => one ?? [])];
}

function isOnPath(program: string, { PATH: path = "" }: Environment): boolean {
  const candidates = program.includes("/") ? [program] : path.split(delimiter).map((folder) => join(folder, program));
  return candidates.some((file) => {
    try {
      accessSync(file, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
