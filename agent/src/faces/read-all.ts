/** What comes on stdin instead of an argument. */
import { AgentError } from "../errors.js";

/** The whole of it. @throws AgentError `usage` when it is empty; `what` names what is missing */
export async function readAll(stream: AsyncIterable<Buffer | string>, what: string): Promise<string> {
  let text = "";
  for await (const chunk of stream) text += chunk.toString();
  if (text.trim() === "") throw new AgentError("usage", `There is no ${what} on stdin.`);
  return text;
}
