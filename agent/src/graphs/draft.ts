/** What a drafting model said: a statement with its assumptions, a question back, or that it can't be done. */
import { AgentError } from "../errors.js";

/** What it said. */
export type Drafted =
  | { readonly kind: "statement"; readonly sql: string; readonly assumptions: readonly string[] }
  | { readonly kind: "clarify"; readonly question: string; readonly choices: readonly string[] }
  | { readonly kind: "cannot"; readonly reason: string };

/** Reads it, with some patience for models that don't keep to the form. @throws AgentError `model_invalid` */
export function parseDraft(text: string): Drafted {
  const sql = statementIn(text);
  if (sql !== "") return { kind: "statement", sql, assumptions: linesAfter("ASSUMPTION", text) };
  const [clarify] = linesAfter("CLARIFY", text);
  if (clarify !== undefined) {
    const [question = "", ...choices] = clarify.split("|").map((part) => part.trim());
    if (question !== "") return { kind: "clarify", question, choices: choices.filter((choice) => choice !== "") };
  }
  const [reason] = linesAfter("CANNOT", text);
  if (reason !== undefined) return { kind: "cannot", reason };
  throw new AgentError("model_invalid", "There is no statement in the model's answer.", {
    hint: "Answer with one statement in a ```sql block.",
  });
}

/** Whether a statement is meant to change something: the server decides, this only chooses the tool. */
export function isWrite(sql: string): boolean {
  const first = /^[\s(]*(\w+)/.exec(withoutComments(sql))?.[1]?.toUpperCase() ?? "";
  if (first === "WITH") return /\)\s*(?:INSERT|UPDATE|DELETE|MERGE)\b/i.test(withoutComments(sql));
  return !["SELECT", "VALUES", "TABLE", "SHOW", "EXPLAIN", "DESCRIBE", "DESC"].includes(first);
}

/** The statement in the last block of code; of an answer without blocks, all of it if it begins like a statement. */
function statementIn(text: string): string {
  const blocks = [...text.matchAll(/```(?:\w*)[ \t]*\r?\n?([\s\S]*?)```/g)].map(([, body = ""]) => trimmed(body));
  const last = blocks.findLast((block) => block !== "");
  if (last !== undefined) return last;
  return /^\s*(?:select|with|insert|update|delete|show|values)\b/i.test(text) ? trimmed(text) : "";
}

/** Without the semicolon that ends it: a second statement stays, for the server to refuse. */
const trimmed = (sql: string): string => sql.trim().replace(/;\s*$/, "");

function linesAfter(word: string, text: string): string[] {
  const pattern = new RegExp(`^[\\s*>-]*${word}\\s*:\\s*(.+)$`, "gim");
  return [...text.matchAll(pattern)].map(([, rest = ""]) => rest.replaceAll("**", "").trim());
}

const withoutComments = (sql: string): string => sql.replace(/--[^\n]*|\/\*[\s\S]*?\*\//g, " ");
