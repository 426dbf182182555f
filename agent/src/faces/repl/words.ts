/** Saying something at the prompt: a question, a message to the model, a write that somebody typed. */
import { AgentError } from "../../errors.js";
import { isWrite } from "../../graphs/draft.js";
import type { Conversation } from "./conversation.js";
import type { Session } from "./session.js";

/** Asks a question; its rows are then the last result. */
export async function askInWords(session: Session, question: string): Promise<void> {
  if (question === "") throw new AgentError("usage", "\\ask needs a question.");
  const { source, signal } = session;
  const answer = await conversationOf(session).hold((open) => open.ask(question, { source, signal }), signal);
  if (answer.sql !== undefined && answer.result !== undefined) {
    const { sql, result } = answer;
    session.last = { sql, source: answer.connection ?? source, result, shown: result.rowCount };
  }
}

/** Sends a message to the model, which uses the tools as it sees fit. */
export async function chatInWords(session: Session, message: string): Promise<void> {
  if (message === "") throw new AgentError("usage", "\\chat needs a message.");
  const { source, signal } = session;
  await conversationOf(session).hold((open) => open.chat(message, { source, signal }), signal);
}

/** Runs a statement as it was typed: one that writes stops at the gate, where the databases take writes at all. */
export async function runTyped(session: Session, sql: string): Promise<void> {
  const { source, signal, conversation } = session;
  const isGated = conversation !== undefined && isWrite(sql) && (await takesWrites(session));
  if (isGated) await conversation.hold((open) => open.execute(sql, { source, signal }), signal);
  else await session.execute(sql);
}

/** Asks what the session waits for. */
export async function askPending(session: Session): Promise<void> {
  const conversation = conversationOf(session);
  if (conversation.reference === undefined) session.write("Nothing waits.");
  else await conversation.goOn(session.signal);
}

/** Says under which reference id everything is kept. */
export function showReference(session: Session): void {
  const { reference } = conversationOf(session);
  session.write(reference === undefined ? "Nothing has been said yet." : `Session ${reference}`);
}

const takesWrites = async (session: Session): Promise<boolean> =>
  (await session.agent().connection.tools()).some(({ name }) => name === "execute");

function conversationOf({ conversation }: Session): Conversation {
  if (conversation !== undefined) return conversation;
  throw new AgentError("usage", "That needs a terminal.", { hint: 'db-agent ask "…" answers one question.' });
}
