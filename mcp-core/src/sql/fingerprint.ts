/**
 * What a statement is, without what it says: literals and comments gone, space and case alike, so that equal questions
 * with different values are one. It only ever leaves as a hash; an unclosed quote swallows the rest.
 */
import { createHash } from "node:crypto";

/** How strings and comments are written: `backslash` as MySQL does, else as the standard and PostgreSQL do. */
export type Lexis = "standard" | "backslash";

const standard =
  /(?<comment>--[^\n\r]*|\/\*[\s\S]*?(?:\*\/|$))|(?<literal>\bE'(?:[^'\\]|''|\\[\s\S])*(?:'|$)|'(?:[^']|'')*(?:'|$)|(?<tag>\$(?:[A-Za-z_]\w*)?\$)[\s\S]*?(?:\k<tag>|$)|\$\d+|(?<![\w$"])\.?\d[\w.]*)|(?<name>"(?:[^"]|"")*(?:"|$))|(?<space>\s+)/gi;
const backslash =
  /(?<comment>--(?=\s|$)[^\n]*|#[^\n]*|\/\*[\s\S]*?(?:\*\/|$))|(?<literal>'(?:[^'\\]|''|\\[\s\S])*(?:'|$)|"(?:[^"\\]|""|\\[\s\S])*(?:"|$)|\?|(?<![\w$`])\.?\d[\w.]*)|(?<name>`(?:[^`]|``)*(?:`|$))|(?<space>\s+)/gi;

/** The statement with `?` for every literal and parameter. */
export function normaliseStatement(sql: string, lexis: Lexis): string {
  let text = "";
  let from = 0;
  for (const { index, groups = {}, 0: found } of sql.matchAll(lexis === "backslash" ? backslash : standard)) {
    text += sql.slice(from, index).toLowerCase();
    text += groups.literal !== undefined ? "?" : groups.name !== undefined ? found : " ";
    from = index + found.length;
  }
  return (text + sql.slice(from).toLowerCase())
    .replace(/\s+/g, " ")
    .replace(/\?(?: ?, ?\?)+/g, "?")
    .replace(/[ ;]+$/, "")
    .trim();
}

/** SHA-256 of the normalised statement in hex, and its first word. */
export function fingerprintOf(sql: string, lexis: Lexis): { readonly fingerprint: string; readonly verb: string } {
  const text = normaliseStatement(sql, lexis);
  const verb = /^\(*\s*([a-z]{1,20})\b/.exec(text)?.[1] ?? "";
  return { fingerprint: createHash("sha256").update(text).digest("hex"), verb };
}
