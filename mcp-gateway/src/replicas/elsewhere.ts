/**
 * Calls that must reach the replica whose server knows what they go on with: a question asked there (`requestState`), a
 * write that waits for a human's code, a write under an idempotency key. Such a call is carried there whole and answered
 * back, so that an approval counts once and a write is not run at two replicas. Where that replica is gone, the call is
 * told so and runs nowhere.
 */
import { createHash } from "node:crypto";
import type { Peers, Principal, Role } from "@database-interface/mcp-core/host";
import { ProtocolError } from "@modelcontextprotocol/server";
import type { ClientRequest } from "../client-request.js";
import type { Question } from "../conversation.js";
import { toErrorBody } from "../errors.js";
import { AnsweredError, type ErrorBody, type Fields, isFields } from "../message.js";
import { approvalLifeMs, hasKey, keyLifeMs, needsApproval } from "../open-writes.js";
import type { Store } from "../store/store.js";

/** A call of a tool, as the client made it. */
export interface ToolCall {
  readonly params: Fields;
  readonly given: Fields;
  readonly request: ClientRequest;
  /** It is for a server of the suite's own. */
  readonly isOurs: boolean;
}

/** Brings calls home. */
export interface Elsewhere extends Disposable {
  /** Runs a call here, unless it has a home elsewhere. @throws CodedError `replica_lost`, `store_unavailable`, and as the call does */
  call(call: ToolCall, here: (request: ClientRequest) => Promise<Fields>): Promise<Fields>;
  /** Sets what runs the calls that others bring here. */
  serve(run: (params: Fields, request: ClientRequest) => Promise<Fields>): void;
}

/** A request on its way. */
interface Carried {
  readonly id: number;
  readonly params: Fields;
  readonly principal: { readonly id: Principal["id"]; readonly roles: readonly Role[] };
  readonly request: Pick<ClientRequest, "era" | "caller" | "trace" | "span" | "requestState" | "inputResponses">;
}

type Outcome = { readonly result: Fields } | { readonly error: ErrorBody };

const topics = { call: "call", ask: "call-ask", tell: "call-tell" } as const;
const mark = "mcp-at.";

export function createElsewhere({ peers, store }: { readonly peers: Peers; readonly store: Store }): Elsewhere {
  const { self } = peers;
  const carried = new Map<number, ClientRequest>();
  let count = 0;

  async function carry(home: string, { params }: ToolCall, request: ClientRequest): Promise<Fields> {
    const id = ++count;
    carried.set(id, request);
    const { era, caller, trace, span, requestState, inputResponses, principal, signal } = request;
    const sent: Carried = {
      id,
      params,
      principal: { id: principal.id, roles: [...principal.roles] },
      request: { era, caller, trace, span, requestState, inputResponses },
    };
    try {
      const outcome = (await peers.ask(home, topics.call, sent, { signal })) as Outcome; // as `take` below answers
      if ("error" in outcome) throw new AnsweredError(outcome.error);
      return outcome.result;
    } finally {
      carried.delete(id);
    }
  }

  async function homeOf({ given, request, isOurs }: ToolCall): Promise<string | undefined> {
    if (!isOurs) return undefined;
    if (typeof given.approval === "string") return (await store.get(approvalRecord(given, request)))?.value;
    if (!hasKey(given)) return undefined;
    const record = keyRecord(given, request);
    const claimed = await store.set(record, self, { ttlMs: keyLifeMs, ifVersion: null });
    return claimed === undefined ? (await store.get(record))?.value : self;
  }

  let run: ((params: Fields, request: ClientRequest) => Promise<Fields>) | undefined;
  const disposables = [
    peers.on(topics.call, async (value, { from, signal }): Promise<Outcome | undefined> => {
      if (run === undefined) return undefined;
      const { id, params, principal, request } = value as Carried; // sent by one of us
      const tell = (method: string, told: Fields): void => {
        peers.ask(from, topics.tell, { id, method, told }, { signal }).catch(() => {}); // nobody listens any more
      };
      const ask = async (question: Question): Promise<Fields> => {
        const answer = await peers.ask(from, topics.ask, { id, question }, { signal });
        return isFields(answer) ? answer : {};
      };
      const roles = new Set(principal.roles);
      try {
        return { result: await run(params, { ...request, principal: { ...principal, roles }, signal, tell, ask }) };
      } catch (error) {
        if (error instanceof AnsweredError || error instanceof ProtocolError) return { error: toErrorBody(error) };
        throw error;
      }
    }),
    peers.on(topics.ask, (value) => {
      const { id, question } = value as { id: number; question: Question }; // sent by one of us
      return carried.get(id)?.ask(question);
    }),
    peers.on(topics.tell, (value) => {
      const { id, method, told } = value as { id: number; method: string; told: Fields }; // sent by one of us
      carried.get(id)?.tell(method, told);
    }),
  ];

  return {
    serve(runs) {
      run = runs;
    },
    async call(call, here) {
      const [, asked, state] = /^mcp-at\.([\w-]+)\.(.*)$/s.exec(call.request.requestState ?? "") ?? [];
      const request = state === undefined ? call.request : { ...call.request, requestState: state };
      const home = asked ?? (await homeOf(call));
      if (home !== undefined && home !== self) return carry(home, call, request);
      const result = await here(request);
      if (result.resultType === "input_required" && typeof result.requestState === "string")
        return { ...result, requestState: `${mark}${self}.${result.requestState}` };
      if (call.isOurs && needsApproval(result))
        await store.set(approvalRecord(call.given, request), self, { ttlMs: approvalLifeMs });
      return result;
    },
    [Symbol.dispose]() {
      for (const one of disposables) one[Symbol.dispose]();
    },
  };
}

/** One's write, whatever code or key it comes with. */
function approvalRecord(given: Fields, { principal, caller }: ClientRequest): string {
  const { approval: _, idempotency_key: __, ...write } = given;
  const sorted = Object.entries(write).sort(([a], [b]) => (a < b ? -1 : 1));
  return `approval/${hash([principal.id, caller.account, sorted])}`;
}

/** One's key. */
const keyRecord = ({ idempotency_key: key }: Fields, { principal, caller }: ClientRequest): string =>
  `idempotency/${hash([principal.id, caller.account, key])}`;

const hash = (value: unknown): string => createHash("sha256").update(JSON.stringify(value)).digest("base64url");
