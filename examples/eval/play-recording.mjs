/**
 * Plays recorded answers as an OpenAI-compatible server, for an evaluation where there is no model:
 *   node examples/eval/play-recording.mjs [recording.jsonl] [port]
 * A line of a recording holds a question and the model's answers to it, one for each time it was asked in one conversation.
 */
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { fileURLToPath } from "node:url";

/**
 * Reads a recording. @param {string} file @returns {Map<string, readonly string[]>} answers by question
 */
export function readRecording(file) {
  const lines = readFileSync(file, "utf8").split("\n");
  return new Map(
    lines
      .filter((line) => line.trim() !== "")
      .map((line) => JSON.parse(line))
      .map(({ question, answers }) => [question, answers]),
  );
}

/**
 * Serves it. @param {ReadonlyMap<string, readonly string[]>} recording @param {number} [port]
 * @returns {Promise<{ url: string, close: () => Promise<void> }>}
 */
export async function playRecording(recording, port = 0) {
  const server = createServer(async (request, response) => {
    let text = "";
    for await (const chunk of request) text += String(chunk);
    const answer = answerTo(JSON.parse(text).messages ?? [], recording);
    if (answer === undefined) {
      response.writeHead(404).end('{"error":{"message":"There is no recorded answer to this."}}');
      return;
    }
    response.writeHead(200, { "content-type": "text/event-stream" });
    const send = (/** @type {object} */ value) => {
      const common = { id: "recorded", object: "chat.completion.chunk", created: 0, model: "recorded" };
      response.write(`data: ${JSON.stringify({ ...common, ...value })}\n\n`);
    };
    send({ choices: [{ index: 0, delta: { role: "assistant", content: answer }, finish_reason: null }] });
    send({ choices: [{ index: 0, delta: {}, finish_reason: "stop" }] });
    const [input = 0, output = 0] = [text.length, answer.length].map((length) => Math.ceil(length / 4));
    send({ choices: [], usage: { prompt_tokens: input, completion_tokens: output, total_tokens: input + output } });
    response.end("data: [DONE]\n\n");
  });
  await new Promise((resolve) => {
    server.listen(port, "127.0.0.1", () => resolve(undefined));
  });
  const address = /** @type {import("node:net").AddressInfo} */ (server.address());
  return {
    url: `http://127.0.0.1:${address.port}/v1`,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}

/**
 * The next answer to the question of a conversation: one further for each draft that failed, and for what was asked back.
 * @param {readonly { role: string, content: string | null }[]} messages @param {ReadonlyMap<string, readonly string[]>} recording
 */
function answerTo(messages, recording) {
  const asked = messages.find(({ role }) => role === "user")?.content ?? "";
  const [question = "", reply] = asked.split("\n(");
  const failed = messages.filter(({ role }) => role === "assistant").length;
  return recording.get(question)?.[failed + (reply === undefined ? 0 : 1)];
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [file = fileURLToPath(new URL("shop-answers.jsonl", import.meta.url)), port = "0"] = process.argv.slice(2);
  const { url } = await playRecording(readRecording(file), Number(port));
  process.stdout.write(`export DB_AGENT_MODEL=recorded DB_AGENT_MODEL_URL=${url}\n`);
}
