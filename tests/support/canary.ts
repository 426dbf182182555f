/** A password to look for, the ways it may be written, and the processes that have it. */
import { randomBytes } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";

/** A password to look for. */
export interface Canary {
  readonly password: string;
  /** The part of it that no escaping changes: it shows in every form but base64 and hexadecimal. */
  readonly letters: string;
}

/** A new password with everything in it that URLs, forms, JSON, HTML and shells write in another way. */
export function createCanary(): Canary {
  const letters = `zq${randomBytes(10).toString("hex")}`;
  return { password: `@:/%&"\\é <'${letters}'> +?#$x`, letters };
}

/** The password as a string of SQL, where a backslash is a character like others (PostgreSQL), or not (MariaDB, MySQL). */
export const sqlStringOf = ({ password }: Canary, escapes: boolean): string =>
  `'${(escapes ? password.replaceAll("\\", "\\\\") : password).replaceAll("'", "''")}'`;

/** Whether a text holds a canary, written in whatever way. */
export function holds(text: string, { letters }: Canary): boolean {
  const bytes = Buffer.from(letters);
  // in base64 a text looks in three ways, by where in a group of three bytes it begins; its edges depend on the rest
  const encoded = [0, 1, 2].map((shift) =>
    Buffer.concat([Buffer.alloc(shift), bytes])
      .toString("base64")
      .slice(shift === 0 ? 0 : 4, -4),
  );
  const lower = text.toLowerCase();
  return (
    [letters, bytes.toString("hex")].some((form) => lower.includes(form)) || encoded.some((form) => text.includes(form))
  );
}

/** The processes that have a canary in this file of theirs. */
export async function processesWith(canary: Canary, file: "cmdline" | "environ"): Promise<number[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const texts = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/${file}`, "utf8").catch(() => "")));
  return pids.filter((_pid, index) => holds(texts[index] ?? "", canary)).map(Number);
}
