/** A session's state as those outside see it: what it waits for, what came of its turn, and all of it. */
import type { StateSnapshot } from "@langchain/langgraph";
import * as v from "valibot";
import type { Answer, SessionView, WriteOutcome } from "./answer.js";
import { type Approval, approvalSchema } from "./approval.js";
import type { Outcome } from "./graphs/conversation-state.js";
import type { SessionState } from "./graphs/session-state.js";
import { toReport } from "./report.js";
import { parseQueryReply } from "./result.js";

const questionSchema = v.omit(approvalSchema, ["approval", "session"]);

/** What a human is asked, without what has been answered since. */
export function toApprovals(session: string, { tasks }: StateSnapshot): readonly Approval[] {
  return tasks
    .filter(({ result }) => result === undefined)
    .flatMap(({ interrupts }) => interrupts)
    .flatMap(({ id, value }) => {
      const question = v.safeParse(questionSchema, value);
      return question.success && id !== undefined ? [{ approval: id, session, ...question.output }] : [];
    });
}

/** True where tasks are left that wait for nobody: their process died, or gave up. */
export const isCutOff = (session: string, snapshot: StateSnapshot): boolean =>
  snapshot.next.length > 0 && toApprovals(session, snapshot).length === 0;

/** What came of the last turn, as far as it is. */
export function toAnswer(session: string, snapshot: StateSnapshot): Answer {
  const state = snapshot.values as SessionState; // what the graph keeps
  const approvals = toApprovals(session, snapshot);
  const { draft, reply, broken, used, source } = state;
  const failed = broken ?? state.outcomes.find(({ status }) => status === "failed" || status === "unknown")?.error;
  const isFailed = state.job === "chat" ? broken !== null : failed !== undefined;
  return {
    session,
    status: approvals.length > 0 ? "waiting" : isFailed ? "failed" : "answered",
    text: state.answer ?? "",
    ...(draft === null ? {} : { sql: draft.sql }),
    ...(source === null || source === "" ? {} : { connection: source }),
    ...(reply === null ? {} : { result: parseQueryReply(reply) }),
    caveats: state.caveats,
    writes: state.outcomes.map(toWriteOutcome),
    approvals,
    ...(used === null ? {} : { usage: used }),
    ...(isFailed && failed !== undefined && failed !== null ? { error: failed } : {}),
  };
}

/** All that is kept of a session; undefined where nothing is. */
export function toView(session: string, snapshot: StateSnapshot): SessionView | undefined {
  if (snapshot.createdAt === undefined) return undefined;
  const state = snapshot.values as Partial<SessionState>; // a session may hold only a part of it
  return {
    session,
    updatedAt: snapshot.createdAt,
    ...(state.createdAt === undefined ? {} : { createdAt: state.createdAt }),
    ...(state.owner === undefined ? {} : { owner: state.owner }),
    approvals: toApprovals(session, snapshot),
    isCutOff: isCutOff(session, snapshot),
    messages: state.messages ?? [],
    ...(state.statements === undefined ? {} : { report: toReport(session, state as SessionState) }), // a run has set all of its fields
  };
}

const toWriteOutcome = ({ source: connection, sql, status, reply, error }: Outcome): WriteOutcome => ({
  connection,
  sql,
  status,
  ...(reply === undefined ? {} : { reply }),
  ...(error === undefined ? {} : { error }),
});
