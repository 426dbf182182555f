/** The command `token new`, the same in every program that has a tokens file: makes a token that nobody can guess. */
import { randomBytes } from "node:crypto";
import { readFile, rename, writeFile } from "node:fs/promises";
import { applyEdits, modify } from "jsonc-parser";
import * as v from "valibot";
import { CodedError } from "../errors.js";
import { createLog } from "../log.js";
import { durationSchema } from "../quantities.js";
import type { Environment } from "../resolve-settings.js";
import { type CommandSpec, defineCommand } from "../run-command.js";
import { setting } from "../setting.js";
import { sha256 } from "./authenticator.js";
import { principalName, readTokens, roleList, type TokenEntry } from "./tokens-file.js";

/** The command `token` of a program. */
export function tokenCommand({ name, version }: { readonly name: string; readonly version: string }): CommandSpec {
  const make = defineCommand({
    name: "new",
    version,
    summary: "Makes a token for somebody; prints it once, and the line that lets it in.",
    settings: {
      principal: setting(principalName, {
        describe: "Whose token it is, as audit trails will name them.",
        placeholder: "name",
        file: false,
      }),
      roles: setting(roleList, {
        describe: "use (reading tools), write (all tools), admin (/v1 and figures); several with commas.",
        placeholder: "roles",
        default: "use",
        file: false,
      }),
      lifetime: setting(v.optional(durationSchema({ min: 60_000 })), {
        describe: "How long it lasts, such as 90d. Default: until it is taken out of the file.",
        placeholder: "duration",
        file: false,
      }),
      tokensFile: setting(v.optional(v.string()), {
        describe: "Puts the line into this tokens file, made where there is none; a running server notices.",
        placeholder: "file",
        env: ["MCP_TOKENS_FILE"],
        file: false,
      }),
    },
    examples: [
      [`${name} token new --principal ada --roles use`, "prints a token and its line"],
      [
        `${name} token new --principal ci --roles use,write --lifetime 90d --tokens-file tokens.json`,
        "adds the line to the file, prints the token alone",
      ],
    ],
    async run({ values: { principal, roles, lifetime, tokensFile }, io }) {
      const token = randomBytes(32).toString("base64url");
      const entry: TokenEntry = {
        principal,
        sha256: sha256(token).toString("hex"),
        roles,
        ...(lifetime === undefined ? {} : { expires: new Date(Date.now() + lifetime).toISOString() }),
      };
      if (tokensFile === undefined) {
        io.stdout.write(`${token}\n${JSON.stringify(entry)}\n`);
        io.stderr.write("First the token, for its owner only; then the line for `tokens` in the tokens file.\n");
        return 0;
      }
      await addTo(tokensFile, entry, io.environment);
      io.stdout.write(`${token}\n`);
      io.stderr.write(`${principal} was added to ${tokensFile}. The token is shown only here.\n`);
      return 0;
    },
  });
  return {
    name: "token",
    version,
    summary: "Makes tokens for a tokens file.",
    settings: {},
    commands: [make],
    examples: [[`${name} token new --principal ada --roles use`, "a token for reading"]],
    async run() {
      throw new CodedError("usage", "There is nothing to do.", { hint: "Say token new." });
    },
  };
}

/** Puts an entry at the end of the file's list; comments and everything else stay. All or nothing. */
async function addTo(path: string, entry: TokenEntry, environment: Environment): Promise<void> {
  const before = await readFile(path, "utf8").catch((error: unknown) => {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw new CodedError("config_unreadable", `${path} cannot be read.`, {
      hint: "Check its permissions.",
      cause: error,
    });
  });
  if (before !== undefined) await readTokens({ path, environment, log: silent });
  const formattingOptions = { insertSpaces: true, tabSize: 2 };
  const place = before === undefined ? ["tokens"] : ["tokens", -1];
  const value = before === undefined ? [entry] : entry;
  const text = before ?? "{}\n";
  const after = applyEdits(
    text,
    modify(text, place, value, { formattingOptions, isArrayInsertion: before !== undefined }),
  );
  const next = `${path}.${randomBytes(4).toString("hex")}`;
  await writeFile(next, after, { mode: 0o600, flag: "wx" });
  await rename(next, path);
}

const silent = createLog({ name: "token", level: "silent" });
