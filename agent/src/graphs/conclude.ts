/** The end of a turn: what is kept of it in the conversation, for the next question to refer to. */
import { parseWriteReply } from "../result.js";
import { fenced } from "./ask-prompts.js";
import { message } from "./chat.js";
import type { Outcome } from "./conversation-state.js";
import type { SessionState, SessionUpdate } from "./session-state.js";

/** Says what writes came to where nothing else does, and adds the turn to the conversation. */
export function conclude(state: SessionState): SessionUpdate {
  const { job, text, draft, broken } = state;
  const answer = state.answer ?? (broken === null ? state.outcomes.map(toSentence).join(" ") : broken.message);
  if (job === "chat") return { answer };
  const said = job === "ask" && draft !== null ? `${fenced(draft.sql)}\n${answer}` : answer;
  return { answer, messages: [message({ from: "human", text }), message({ from: "model", text: said })] };
}

function toSentence({ status, reply, error }: Outcome): string {
  if (status !== "done" || reply === undefined) return error?.message ?? status;
  const { columns, rows, rowCount } = parseWriteReply(reply);
  const [count] = columns.includes("rows_affected") ? (rows[0] ?? []) : [rowCount];
  return `Done: ${String(count)} ${String(count) === "1" ? "row" : "rows"}.`;
}
