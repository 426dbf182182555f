/** An agent with a scripted model on a database of its own, in this process, and what its runs tell. */
import { join } from "node:path";
import * as v from "valibot";
import {
  type Agent,
  type AgentEvent,
  type AgentOptions,
  type Answer,
  createAgent,
  eventSchema,
  type Run,
} from "../../agent/src/index.js";
import { type ModelStub, type SentRequest, startModelStub } from "../support/model-stub.js";
import { temporaryFolder } from "./support.js";

/** What tests of conversations stand on. */
export interface Conversing extends AsyncDisposable {
  readonly agent: Agent;
  readonly stub: ModelStub;
}

/** Starts the stub and an agent that asks it, by the built-in client or another; its notes are in a folder of its own. */
export async function startConversing(
  gateway: AgentOptions["gateway"],
  {
    model = (url: string): NonNullable<AgentOptions["model"]> => ({
      name: "stub",
      url,
      key: "sk-canary-model",
      backOffMs: 1,
    }),
    ...options
  }: Omit<AgentOptions, "gateway" | "model"> & { model?: (url: string) => NonNullable<AgentOptions["model"]> } = {},
): Promise<Conversing> {
  const stub = await startModelStub();
  const folder = temporaryFolder();
  const agent = createAgent({
    gateway,
    model: model(stub.url),
    knowledge: join(folder.path, "knowledge"),
    ...options,
  });
  return {
    agent,
    stub,
    async [Symbol.asyncDispose]() {
      await agent.close();
      await stub[Symbol.asyncDispose]();
      folder[Symbol.dispose]();
    },
  };
}

/** A run to its end: every event, and the result or what it rejected with. */
export async function toEnd<Result = Answer>(run: Run<Result>) {
  const events: AgentEvent[] = [];
  for await (const event of run) events.push(v.parse(eventSchema, event));
  const settled = await run.result.then(
    (result) => ({ result, error: undefined }),
    (error: unknown) => ({ result: undefined, error }),
  );
  return { events, ...settled };
}

/** The kinds of events, those that follow one another merged. */
export const kindsOf = (events: readonly AgentEvent[]): string[] =>
  events.map(({ type }) => type).filter((type, index, all) => type !== all[index - 1]);

/** A statement as a model drafts it. */
export const drafted = (sql: string, before = "") => ({ text: `${before}\n\`\`\`sql\n${sql}\n\`\`\`` });

/** Everything a request says, as one text. */
export const textOf = (request: SentRequest | undefined): string => JSON.stringify(request?.body);

/** A request that wants a statement, rather than words for an answer. */
export const isDraft = (request: SentRequest): boolean => /You write SQL/.test(textOf(request));
