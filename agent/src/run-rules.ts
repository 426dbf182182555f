/** What may begin on a session in which state, and which answers fit what is asked there. */
import type { StateSnapshot } from "@langchain/langgraph";
import type { Approval, Decision } from "./approval.js";
import { AgentError } from "./errors.js";
import type { SessionState } from "./graphs/session-state.js";
import { toApprovals } from "./session-views.js";

/**
 * Nothing new begins while a human is asked something, or while it is open what became of a write.
 * @throws AgentError `approval_pending`, `session_cut_off`
 */
export function assertFree(session: string, snapshot: StateSnapshot): void {
  if (toApprovals(session, snapshot).length > 0) {
    throw new AgentError("approval_pending", "This session waits for a human's answer.", {
      hint: "Answer it, or reject it, before anything else.",
    });
  }
  if (snapshot.next.includes("write")) {
    throw new AgentError("session_cut_off", "A write of this session was cut off, and it is open what became of it.", {
      hint: "Resume it (db-agent resume): it finds out, and writes nothing a second time.",
    });
  }
}

/**
 * The answer fits a question that is asked now.
 * @throws AgentError `approval_unknown`, `approval_used`, `approval_expired`, `approval_mismatch`
 */
export function assertAnswerable(approval: string, decision: Decision, session: string, snapshot: StateSnapshot): void {
  const asked = toApprovals(session, snapshot).find((one) => one.approval === approval);
  if (asked === undefined) throw isAnswered(approval, snapshot) ? answeredBefore() : nothingAsked();
  if (!fits(decision, asked)) {
    throw new AgentError("approval_mismatch", `That is no answer to this question: ${decision.type}.`, {
      hint: asked.kind === "question" ? "Reply in words, or reject it." : "Approve, edit the statement, or reject it.",
    });
  }
  const isLate = asked.expiresAt !== undefined && Date.parse(asked.expiresAt) < Date.now();
  if (isLate && decision.type !== "reject") {
    throw new AgentError("approval_expired", "This answer comes too late: nothing was run.", {
      hint: "Reject it, and ask again for what is wanted.",
    });
  }
}

function fits({ type }: Decision, { kind, tool }: Approval): boolean {
  if (type === "reject") return true;
  if (kind === "question") return type === "reply";
  return type === "approve" || (type === "edit" && tool === "execute");
}

/** Kept once its step is over; until then what its own task has brought. */
function isAnswered(approval: string, { values, tasks }: StateSnapshot): boolean {
  const { answered = [] } = values as Partial<SessionState>; // a session may hold only a part of it
  if (answered.includes(approval)) return true;
  return tasks.some(({ result, interrupts }) => result !== undefined && interrupts.some(({ id }) => id === approval));
}

const nothingAsked = (): AgentError =>
  new AgentError("approval_unknown", "Nothing of this name is asked in this session.", {
    hint: "Ask the session what it waits for.",
  });

const answeredBefore = (): AgentError =>
  new AgentError("approval_used", "This has been answered already; an answer counts once.", {
    hint: "Ask the session what it waits for.",
  });
