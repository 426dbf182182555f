/** A REST server of the agent in this process, on a real database, and requests to it. */
import { randomBytes } from "node:crypto";
import type { RequestEntry } from "../../agent/src/faces/serve/app.js";
import { openRestServer, type RestServer } from "../../agent/src/faces/serve/rest-server.js";
import { readTokens } from "../../agent/src/faces/serve/tokens.js";
import { type Agent, type AgentOptions, createAgent } from "../../agent/src/index.js";

/** An answer, its body read. */
export interface RestAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** The body as JSON; undefined where it is none. */
  // biome-ignore lint/suspicious/noExplicitAny: a test looks into whatever came
  readonly json: any;
}

/** The server, and a client of it. */
export interface Rest extends AsyncDisposable {
  readonly url: string;
  readonly token: string;
  readonly agent: Agent;
  readonly server: RestServer;
  /** What was logged of each request. */
  readonly entries: readonly RequestEntry[];
  call(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<RestAnswer>;
  /** The reference id of a new session. */
  session(): Promise<string>;
}

/** Opens one; `owners` are further tokens, each with sessions of its own. */
export async function openRest(
  options: AgentOptions,
  { owners = [] as readonly string[], allowedOrigins = [] as readonly string[] } = {},
): Promise<Rest> {
  const token = randomBytes(24).toString("base64url");
  const agent = createAgent(options);
  const entries: RequestEntry[] = [];
  const known = await readTokens(undefined, { DB_AGENT_TOKEN: token });
  const server = await openRestServer({
    agent,
    host: "127.0.0.1",
    port: 0,
    tokens: {
      find: (given) => known.find(given) ?? (owners.includes(given) ? { owner: given.slice(0, 8) } : undefined),
    },
    allowedHosts: [],
    allowedOrigins,
    log: (entry) => entries.push(entry),
  });
  const rest: Rest = {
    url: server.url,
    token,
    agent,
    server,
    entries,
    async call(method, path, body, headers = {}) {
      const response = await fetch(`${server.url}${path}`, {
        method,
        headers: {
          authorization: `Bearer ${token}`,
          ...(body === undefined ? {} : { "content-type": "application/json" }),
          ...headers,
        },
        ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
      });
      const text = await response.text();
      return { status: response.status, headers: response.headers, text, json: toJson(text) };
    },
    session: async () => (await rest.call("POST", "/v1/sessions")).json.session,
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      await agent.close();
    },
  };
  return rest;
}

function toJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The events in a text of server-sent events. */
export const eventsIn = (
  text: string,
): { readonly event: string; readonly id: number; readonly data: { type: string } }[] =>
  [...text.matchAll(/(?:id: (\d+)\n)?event: (\S+)\ndata: (.*)\n\n/g)].map(
    ([, id = "0", event = "", data = "null"]) => ({
      event,
      id: Number(id),
      data: JSON.parse(data),
    }),
  );
