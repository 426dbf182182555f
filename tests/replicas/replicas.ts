/** Gateways that share one Redis, and a client that speaks to whichever it is told to, request by request. */
import { randomBytes } from "node:crypto";
import type { GatewayOptions } from "../../mcp-gateway/src/index.js";
import { startGateway, type TestGateway } from "../gateway/gateways.js";
import { type RedisServer, startRedisServer } from "../support/redis-servers.js";

/** Gateways that serve together. */
export interface TestReplicas extends AsyncDisposable {
  readonly a: TestGateway;
  readonly b: TestGateway;
  /** Starts one more; it is disposed with the others. */
  add(options?: Partial<GatewayOptions>): Promise<TestGateway>;
}

export const freshKeys = (name = "k1"): string => `${name}:${randomBytes(32).toString("base64")}`;

/** Two gateways in this process, each with a folder of its own, and a Redis that is theirs. */
export async function startReplicas(
  config: (journal: string) => unknown,
  options: Partial<GatewayOptions> = {},
): Promise<TestReplicas & { readonly redis: RedisServer }> {
  const redis = await startRedisServer();
  const end = () => redis[Symbol.asyncDispose]();
  const replicas = await openReplicas(`redis://${redis.address}`, config, options).catch(async (error: unknown) => {
    await end();
    throw error;
  });
  return {
    ...replicas,
    redis,
    async [Symbol.asyncDispose]() {
      await replicas[Symbol.asyncDispose]();
      await end();
    },
  };
}

/** The same over a store that belongs to the caller. */
export async function openReplicas(
  store: string,
  config: (journal: string) => unknown,
  options: Partial<GatewayOptions> = {},
): Promise<TestReplicas> {
  const started: TestGateway[] = [];
  const sessions = { store, keys: freshKeys(), ...options.sessions };
  const add = async (more: Partial<GatewayOptions> = {}): Promise<TestGateway> => {
    const gateway = await startGateway(config, {
      ...options,
      ...more,
      sessions: { ...sessions, ...more.sessions },
    });
    started.push(gateway);
    await gateway.gateway.ready({ signal: AbortSignal.timeout(30_000) }).catch(() => {}); // some never are
    return gateway;
  };
  try {
    const [a, b] = [await add(), await add()];
    return { a, b, add, [Symbol.asyncDispose]: end };
  } catch (error) {
    await end();
    throw error;
  }
  async function end(): Promise<void> {
    await Promise.all(started.map((one) => one[Symbol.asyncDispose]()));
  }
}

/** A message of the server's, as it came. */
export type Message = Readonly<Record<string, unknown>>;

/** An answer over HTTP. */
export interface Answer {
  readonly status: number;
  readonly sessionId: string | undefined;
  /** What came back, in its order; grows while a stream is open. */
  readonly messages: Message[];
  readonly retryAfter: string | null;
  /** Resolves at the end of the body. */
  readonly ended: Promise<void>;
  close(): void;
}

const initialize = {
  jsonrpc: "2.0",
  id: "first",
  method: "initialize",
  params: {
    protocolVersion: "2025-06-18",
    capabilities: { elicitation: { form: {} } },
    clientInfo: { name: "walker", version: "1" },
  },
};

/** Sends one request to a gateway; `body` undefined: GET. */
export async function send(
  gateway: { url: string },
  body: unknown,
  sessionId?: string,
  method?: string,
): Promise<Answer> {
  const controller = new AbortController();
  const response = await fetch(`${gateway.url}/mcp`, {
    method: method ?? (body === undefined ? "GET" : "POST"),
    headers: {
      accept: "application/json, text/event-stream",
      "content-type": "application/json",
      ...(sessionId === undefined ? {} : { "mcp-session-id": sessionId }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    signal: controller.signal,
  });
  const messages: Message[] = [];
  const ended = read(response, messages).catch(() => {});
  return {
    status: response.status,
    sessionId: response.headers.get("mcp-session-id") ?? undefined,
    retryAfter: response.headers.get("retry-after"),
    messages,
    ended,
    close: () => controller.abort(),
  };
}

/** Initializes at one gateway; resolves to the session's id. */
export async function begin(gateway: { url: string }): Promise<string> {
  const answer = await send(gateway, initialize);
  await answer.ended;
  const id = answer.sessionId ?? "";
  const { ended } = await send(gateway, { jsonrpc: "2.0", method: "notifications/initialized" }, id);
  await ended;
  return id;
}

/** A request of a session, and its answer when it has come. */
export async function ask(gateway: { url: string }, sessionId: string, method: string, params: object = {}, id = 1) {
  const answer = await send(gateway, { jsonrpc: "2.0", id, method, params }, sessionId);
  await answer.ended;
  return { ...answer, result: answer.messages.find((message) => message.id === id)?.result as Message | undefined };
}

async function read(response: Response, messages: Message[]): Promise<void> {
  if (!(response.headers.get("content-type") ?? "").includes("event-stream")) {
    const text = await response.text();
    if (text !== "") messages.push(JSON.parse(text));
    return;
  }
  let rest = "";
  for await (const chunk of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
    const events = (rest + chunk).split("\n\n");
    rest = events.pop() ?? "";
    for (const event of events) {
      const line = event.split("\n").find((one) => one.startsWith("data: "));
      if (line !== undefined) messages.push(JSON.parse(line.slice("data: ".length)));
    }
  }
}
