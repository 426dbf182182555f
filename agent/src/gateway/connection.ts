/**
 * The one MCP connection everything goes through: made on first use, made again after it was lost, closed once. Calls
 * come back as text or as a coded error. It knows tools by name only, and loads no LangChain.
 */
import type { CallToolResult } from "@modelcontextprotocol/sdk/types.js";
import { AgentError } from "../errors.js";
import { isSessionGone, toCallError, toToolError } from "./call-errors.js";
import type { GatewaySpec } from "./launch.js";
import type { ListedTool, OpenClient, ToolCallOptions, ToolClient } from "./tool-client.js";

/** What a call takes besides its arguments. */
export interface CallOptions extends ToolCallOptions {
  /** A statement a human has allowed: the server's own question about it is answered yes, and any other no. */
  readonly allows?: string | undefined;
}

/** The connection. Connects on first use; disposing it ends a gateway that was started for it. */
export interface GatewayConnection extends AsyncDisposable {
  /** Makes the connection now. @throws AgentError `gateway_unreachable`, `gateway_failed`, `unauthorized` */
  connect(): Promise<void>;
  /** The tools, asked for once per connection and again after the gateway says they changed. */
  tools(options?: Pick<CallOptions, "signal">): Promise<readonly ListedTool[]>;
  /** The names of the databases, where the gateway or its configuration tells them. */
  sources(options?: Pick<CallOptions, "signal">): Promise<readonly string[]>;
  /** A call's arguments as the tool takes them now: without what is undefined, and without a `source` nobody asks for. */
  fitArguments(tool: string, args: Readonly<Record<string, unknown>>): Promise<Record<string, unknown>>;
  /**
   * Adds a database to a gateway that was started for us: it starts anew with the next call, and calls that run end.
   * Undone by what it returns. @throws AgentError `usage` for a gateway with databases of its own
   */
  addDatabase(name: string, url: string): Promise<() => Promise<void>>;
  /** The text a tool answers. @throws AgentError with the server's code, or `connection_lost`, `cancelled` */
  call(tool: string, args: Readonly<Record<string, unknown>>, options?: CallOptions): Promise<string>;
  /** The same as the protocol has it; a tool's error is thrown. */
  callTool(tool: string, args: Readonly<Record<string, unknown>>, options?: CallOptions): Promise<CallToolResult>;
}

/** The SDK's client, which starts gateways and answers their questions. It takes a while to load. */
const openWhole: OpenClient = async (...given) => (await import("./open-client.js")).openClient(...given);

/** A connection to this gateway; nothing happens before its first use. */
export function createConnection(
  given: GatewaySpec,
  version: string,
  openClient: OpenClient = openWhole,
): GatewayConnection {
  let spec = given;
  let current: Promise<ToolClient> | undefined;
  let listed: Promise<readonly ListedTool[]> | undefined;
  const closing = new AbortController();
  const allowed = new Set<string>();

  function open(): Promise<ToolClient> {
    if (closing.signal.aborted) throw new AgentError("connection_lost", "The connection to the gateway is closed.");
    current ??= openClient(spec, version, {
      closing: closing.signal,
      onClosed() {
        current = undefined;
        listed = undefined;
      },
      onToolsChanged() {
        listed = undefined;
      },
      allows: (message) => [...allowed].some((statement) => asksAbout(message, statement)),
    }).catch((error: unknown) => {
      current = undefined;
      throw error;
    });
    return current;
  }

  async function forget(): Promise<void> {
    const lost = current;
    current = undefined;
    listed = undefined;
    await lost?.then((opened) => opened[Symbol.asyncDispose]()).catch(() => {}); // it is being given up
  }

  /** Runs once more on a fresh connection where the gateway says that it never knew the old one: nothing was run. */
  async function withClient<T>(use: (client: ToolClient) => Promise<T>, options: CallOptions = {}): Promise<T> {
    for (let attempt = 1; ; attempt += 1) {
      const client = await open();
      try {
        return await use(client);
      } catch (error) {
        if (!isSessionGone(error) || attempt > 1) throw toCallError(error, options.signal);
        await forget();
      }
    }
  }

  async function listAll(): Promise<readonly ListedTool[]> {
    return withClient(async (client) => {
      const tools: ListedTool[] = [];
      for (let cursor: string | undefined; ; ) {
        const page = await client.listTools(cursor);
        tools.push(...page.tools);
        if (page.nextCursor === undefined) return tools;
        cursor = page.nextCursor;
      }
    });
  }

  const connection: GatewayConnection = {
    async connect() {
      await open();
    },
    tools({ signal } = {}) {
      listed ??= listAll().catch((error: unknown) => {
        listed = undefined;
        throw error;
      });
      return untilAborted(listed, signal);
    },
    async sources(options) {
      return listedSources(await connection.tools(options)) ?? ("databases" in spec ? Object.keys(spec.databases) : []);
    },
    async fitArguments(tool, args) {
      return fitArguments(await connection.tools(), tool, args);
    },
    async addDatabase(name, url) {
      if (!("databases" in spec)) {
        throw new AgentError("usage", "A gateway with its own configuration takes no further database from here.", {
          hint: "Add it to the gateway's configuration; a running gateway picks it up.",
        });
      }
      const before = spec;
      spec = { ...spec, databases: { ...spec.databases, [name]: url } };
      await forget();
      return async () => {
        spec = before;
        await forget();
      };
    },
    async call(tool, args, options = {}) {
      const { content } = await connection.callTool(tool, args, options);
      return content.map((block) => (block.type === "text" ? block.text : "")).join("\n");
    },
    async callTool(tool, args, options = {}) {
      const given = await untilAborted(connection.fitArguments(tool, args), options.signal);
      using _ = held(allowed, options.allows);
      const answer = await withClient((client) => client.callTool(tool, given, options), options);
      if (answer.isError) throw toToolError(answer);
      return answer;
    },
    async [Symbol.asyncDispose]() {
      closing.abort();
      await forget();
    },
  };
  return connection;
}

/** In the set until disposed. */
function held(set: Set<string>, entry: string | undefined): Disposable {
  if (entry !== undefined) set.add(entry);
  return { [Symbol.dispose]: () => void (entry !== undefined && set.delete(entry)) };
}

/** Whether a question quotes a statement, as JSON; compared by what no escaping changes, as far as questions quote it. */
function asksAbout(message: string, statement: string): boolean {
  const essence = (text: string): string => text.replace(/[^\x21-\x7e]|\\\w|["\\]/g, "");
  const wanted = essence(JSON.stringify(statement)).slice(0, 1_000);
  return wanted !== "" && essence(message).includes(wanted);
}

/** Stops waiting for a connection that is being made; it goes on being made, for the next call. */
async function untilAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work;
  let stop: () => void = () => {};
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(new AgentError("cancelled", "Cancelled before anything ran."));
    if (signal.aborted) stop();
    else signal.addEventListener("abort", stop, { once: true });
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

/** The names a tool's `source` argument lists; undefined where there is no choice. */
function listedSources(tools: readonly ListedTool[]): readonly string[] | undefined {
  for (const { inputSchema } of tools) {
    const source = inputSchema.properties?.source as { enum?: unknown } | undefined; // a JSON Schema, read with care
    if (Array.isArray(source?.enum)) return source.enum.map(String);
  }
  return undefined;
}

/** `source` is no argument where there is only one; whoever names it anyway is right. */
function fitArguments(
  tools: readonly ListedTool[],
  name: string,
  args: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  const tool = tools.find((candidate) => candidate.name === name);
  if (tool === undefined) {
    throw new AgentError("tool_unknown", `The gateway has no tool ${name}.`, {
      hint:
        tools.length === 0
          ? "It lists no tool: has it a database?"
          : `It has ${tools.map((one) => one.name).join(", ")}.`,
    });
  }
  const given = Object.fromEntries(Object.entries(args).filter(([, value]) => value !== undefined));
  if (tool.inputSchema.properties?.source === undefined) delete given.source;
  return given;
}
