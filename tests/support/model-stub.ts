/** A language model at the level of HTTP: an OpenAI-compatible server that answers from a script and keeps what it was sent. */
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";

/** One answer: pieces of text, tool calls, a status other than 200, half a stream, or silence. */
export type ScriptedAnswer =
  | { readonly text: string | readonly string[] }
  | { readonly toolCalls: readonly { readonly name: string; readonly args: object }[] }
  | { readonly status: number; readonly retryAfterS?: number }
  | { readonly half: string }
  | { readonly raw: string }
  | { readonly silent: true };

/** What the model was sent. */
export interface SentRequest {
  readonly authorization: string | undefined;
  readonly body: { readonly messages: readonly { role: string; content: string | null }[] } & Record<string, unknown>;
}

/** An answer, or how to find it. */
export type Scripted = ScriptedAnswer | ((request: SentRequest) => ScriptedAnswer);

/** The running stub. */
export interface ModelStub extends AsyncDisposable {
  /** Up to and with `/v1`. */
  readonly url: string;
  readonly requests: readonly SentRequest[];
  /** Connections the client closed before its answer was over. */
  dropped(): number;
  /** Adds answers to the script, which is followed in order; one may look at what was sent. */
  answer(...next: readonly Scripted[]): void;
  /** Answers nobody has asked for; they are taken out. */
  unused(): readonly Scripted[];
  /** Answers whatever the script has no answer for. */
  otherwise(answer: (request: SentRequest) => ScriptedAnswer): void;
}

/** Starts a stub with nothing to say yet; a request beyond the script gets 400. */
export async function startModelStub(): Promise<ModelStub> {
  const script: Scripted[] = [];
  let rest: (request: SentRequest) => ScriptedAnswer = () => ({ status: 400 });
  const requests: SentRequest[] = [];
  let dropped = 0;
  const server = createServer(async (request, response) => {
    const sent: SentRequest = {
      authorization: request.headers.authorization,
      body: JSON.parse(await readAll(request)),
    };
    requests.push(sent);
    response.on("close", () => {
      if (!response.writableFinished) dropped += 1;
    });
    const scripted = script.shift() ?? rest;
    const next = typeof scripted === "function" ? scripted(sent) : scripted;
    if ("status" in next) {
      const after = next.retryAfterS === undefined ? {} : { "retry-after": String(next.retryAfterS) };
      response.writeHead(next.status, after).end('{"error":{"message":"You said: secret prompt"}}');
      return;
    }
    response.writeHead(200, { "content-type": "text/event-stream" });
    if ("silent" in next) {
      response.flushHeaders();
      return;
    }
    const send = (value: object): void => {
      const common = { id: "c", object: "chat.completion.chunk", created: 1, model: "stub" };
      response.write(`data: ${JSON.stringify({ ...common, ...value })}\n\n`);
    };
    const delta = (value: object, reason: string | null = null): void =>
      send({ choices: [{ index: 0, delta: value, finish_reason: reason }] });
    if ("raw" in next) {
      response.end(next.raw);
    } else if ("half" in next) {
      delta({ role: "assistant", content: next.half });
      setImmediate(() => response.destroy());
    } else {
      const isText = "text" in next;
      if (isText) for (const content of [next.text].flat()) delta({ role: "assistant", content });
      else {
        for (const [index, { name, args }] of next.toolCalls.entries()) {
          const text = JSON.stringify(args);
          const first = { index, id: `call_${requests.length}_${index}`, type: "function" };
          delta({ role: "assistant", tool_calls: [{ ...first, function: { name, arguments: text.slice(0, 5) } }] });
          delta({ tool_calls: [{ index, function: { arguments: text.slice(5) } }] });
        }
      }
      delta({}, isText ? "stop" : "tool_calls");
      send({ choices: [], usage: { prompt_tokens: 100, completion_tokens: 20, total_tokens: 120 } });
      response.end("data: [DONE]\n\n");
    }
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`, // listening on TCP
    requests,
    dropped: () => dropped,
    answer: (...next) => script.push(...next),
    unused: () => script.splice(0),
    otherwise(answer) {
      rest = answer;
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => {
        server.close(resolve);
      });
    },
  };
}

async function readAll(request: IncomingMessage): Promise<string> {
  let text = "";
  for await (const chunk of request) text += String(chunk);
  return text;
}
