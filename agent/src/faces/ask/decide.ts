/**
 * A human's decision, taken at a terminal: approve, edit or reject a write, or reply to a question. Nothing but a plain
 * yes is one: an empty line asks again, and leaving decides nothing.
 */
import type { Approval, Decision } from "../../approval.js";
import type { Style } from "../print/style.js";
import { toApprovalText } from "./approval-text.js";
import type { Asker } from "./asker.js";

/** Where the question is shown. */
export interface DecisionDialog {
  readonly asker: Asker;
  write(text: string): void;
  readonly style: Style;
  width(): number | undefined;
}

/** Asks until there is a decision; undefined when they left. */
export async function decide(approval: Approval, dialog: DecisionDialog): Promise<Decision | undefined> {
  dialog.write(toApprovalText(approval, { style: dialog.style, width: dialog.width() }));
  return approval.kind === "question" ? reply(approval, dialog) : judge(approval, dialog);
}

async function reply({ choices = [] }: Approval, { asker }: DecisionDialog): Promise<Decision | undefined> {
  for (;;) {
    const typed = await asker.ask(choices.length === 0 ? "> " : "Number or words> ");
    if (typed === undefined) return undefined;
    const text = choices[Number(typed) - 1] ?? typed.trim();
    if (text !== "") return { type: "reply", text };
  }
}

async function judge(approval: Approval, dialog: DecisionDialog): Promise<Decision | undefined> {
  const { asker, write } = dialog;
  const canEdit = approval.tool === "execute";
  for (;;) {
    const typed = await asker.ask(`[a]pprove, ${canEdit ? "[e]dit, " : ""}[r]eject? `);
    const word = typed?.trim().toLowerCase();
    if (word === undefined) return undefined;
    if (["a", "approve", "y", "yes"].includes(word)) return allow({ type: "approve" }, approval, asker);
    if (["r", "reject", "n", "no"].includes(word)) {
      const reason = (await asker.ask("Why (may be empty)? "))?.trim();
      if (reason === undefined) return undefined;
      return { type: "reject", ...(reason === "" ? {} : { reason }) };
    }
    if (canEdit && ["e", "edit"].includes(word)) {
      const sql = (await asker.edit(approval.sql ?? "")).trim().replace(/;\s*$/, "");
      if (sql === "" || sql === approval.sql?.trim()) write("The statement is as it was.");
      else {
        write(dialog.style("bold", sql));
        const isWanted = /^y(es)?$/i.test((await asker.ask("Run this instead? [y/n] "))?.trim() ?? "");
        if (isWanted) return allow({ type: "edit", sql, ...paramsOf(approval) }, approval, asker);
      }
    }
  }
}

/** A yes, with the server's code where it wants one. */
async function allow(
  decision: Extract<Decision, { type: "approve" | "edit" }>,
  { needsCode }: Approval,
  asker: Asker,
): Promise<Decision | undefined> {
  if (!needsCode) return decision;
  const code = (await asker.ask("Its code: "))?.trim();
  return code === undefined ? undefined : { ...decision, code };
}

/** The values a statement had stay with it. */
const paramsOf = ({ params }: Approval): { readonly params?: unknown[] } =>
  params === undefined ? {} : { params: JSON.parse(params) as unknown[] }; // written from an array
