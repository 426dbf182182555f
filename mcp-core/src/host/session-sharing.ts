/**
 * Legacy sessions that any of several processes serves: one that did not begin a session makes it again from what its
 * client said, keeps up with what the client told others, and passes on what another one waits for. It keeps no session
 * itself and knows nothing of where the directory is.
 */
import {
  isJSONRPCErrorResponse,
  isJSONRPCNotification,
  isJSONRPCRequest,
  isJSONRPCResultResponse,
  type JSONRPCMessage,
  type RequestId,
  type Transport,
  type WebStandardStreamableHTTPServerTransport,
} from "@modelcontextprotocol/server";
import { CodedError } from "./errors.js";
import type { Log } from "./log.js";
import { type Caller, type Principal, toAuthInfo } from "./principal.js";
import { notFound } from "./problem.js";
import type { FoundEntry, SessionDirectory, SessionEntry } from "./session-directory.js";

/** A session of this process, as far as it is shared. */
export interface SharedSession {
  readonly id: string;
  readonly principal: Principal;
  readonly transport: WebStandardStreamableHTTPServerTransport;
  /** What it was told, here or by replay. */
  readonly told: { version: string; logLevel: string | undefined; readonly subscriptions: Set<string> };
  close(): Promise<void>;
}

/** What sharing is made from. */
export interface SharingOptions<Session extends SharedSession> {
  readonly directory: SessionDirectory;
  readonly idleMs: number;
  readonly log: Log;
  /** The session as this process has it. */
  get(id: string): Session | undefined;
  /** Makes a session under this id, ready once `prepare` has resolved; undefined when there is no place for it. */
  make(
    id: string,
    request: Request,
    caller: Caller,
    prepare: (session: Session) => Promise<void>,
  ): Promise<Session | undefined>;
  /** The answer where there is no place. */
  full(): Response;
}

/** A session and what of the request's body is for it. */
export interface Shared<Session> {
  readonly session: Session;
  readonly body: unknown;
}

/** The sessions of all. Methods that return a promise @throws CodedError as the directory does */
export interface Sharing<Session extends SharedSession> extends Disposable {
  /** Lets the others know of a session that this process has begun. */
  begin(session: Session, body: unknown): Promise<void>;
  /** The session of a request, or the answer where it goes no further. */
  find(id: string, request: Request, body: unknown, caller: Caller): Promise<Shared<Session> | Response>;
  /** Lets a session live on that is in use here without requests. */
  keep(session: Session): Promise<void>;
}

const topics = { ended: "session-ended", changed: "session-changed", cancelled: "session-cancelled" } as const;
const answerTopic = "session-answer";

export function shareSessions<Session extends SharedSession>(options: SharingOptions<Session>): Sharing<Session> {
  const { directory, idleMs, log, get } = options;
  const { peers } = directory;
  const making = new Map<string, Promise<Session | undefined>>();

  function remake(id: string, entry: SessionEntry, request: Request, caller: Caller): Promise<Session | undefined> {
    const known = making.get(id);
    if (known !== undefined) return known;
    const made = options
      .make(id, request, caller, async (session) => {
        await replay(session, entry.initialize);
        await replay(session, { method: "notifications/initialized" });
        log.debug("session_rebuilt");
      })
      .finally(() => making.delete(id));
    making.set(id, made);
    return made;
  }

  /** Tells a session what its client has told others meanwhile. */
  function catchUp(session: Session, { entry, version }: FoundEntry): void {
    const { told } = session;
    if (entry.kind !== "session" || told.version === version) return;
    const news: object[] = [];
    const wanted = new Set(entry.subscriptions);
    for (const uri of wanted) if (!told.subscriptions.has(uri)) news.push(toRequest("resources/subscribe", { uri }));
    for (const uri of told.subscriptions) if (!wanted.has(uri)) news.push(toRequest("resources/unsubscribe", { uri }));
    const { logLevel } = entry;
    if (logLevel !== undefined && logLevel !== told.logLevel)
      news.push(toRequest("logging/setLevel", { level: logLevel }));
    for (const message of news) {
      tell(told, message);
      // nobody waits: what a server has to be started for is in place once it runs
      replay(session, message).catch((error: unknown) => log.debug("replay_failed", { error }));
    }
    told.version = version;
  }

  /** Keeps what a client says about its session for the others. */
  async function note(session: Session, changes: readonly object[]): Promise<void> {
    if (changes.length === 0) return;
    const after = await directory.update(session.id, (entry) => applied(entry, changes), idleMs);
    for (const change of changes) tell(session.told, change);
    if (after !== undefined) catchUp(session, after);
    peers.tell(topics.changed, session.id);
  }

  /** Passes on the answers that others wait for; what is left is for the session here. */
  async function sendAnswers(id: string, messages: readonly unknown[]): Promise<unknown[]> {
    const left: unknown[] = [];
    for (const message of messages) {
      const address = addressOf(message);
      if (address === undefined) left.push(message);
      else if (address.peer === peers.self) left.push(address.answer);
      else {
        const asked = peers.ask(address.peer, answerTopic, { id, answer: address.answer }, { signal: never });
        await asked.catch((error: unknown) => {
          if (!(error instanceof CodedError) || error.code !== "replica_lost") throw error;
          log.debug("answer_too_late"); // who asked is gone, and with it the call
        });
      }
    }
    return left;
  }

  const disposables = [
    peers.on(topics.ended, (id) => void get(String(id))?.close()),
    peers.on(topics.changed, async (id) => {
      const session = get(String(id));
      const found = session === undefined ? undefined : await directory.read(session.id);
      if (session !== undefined && found !== undefined) catchUp(session, found);
    }),
    peers.on(topics.cancelled, (value) => {
      const { id, message } = value as { id: string; message: JSONRPCMessage }; // told by one of us
      const session = get(id);
      const cancelled = cancelledId(message);
      if (session === undefined || cancelled === undefined) return;
      session.transport.onmessage?.(message);
      session.transport.closeSSEStream(cancelled);
    }),
    peers.on(answerTopic, (value) => {
      const { id, answer } = value as { id: string; answer: JSONRPCMessage }; // told by one of us
      const session = get(id);
      session?.transport.onmessage?.(answer, { authInfo: toAuthInfo(session.principal) });
    }),
  ];

  return {
    async begin(session, body) {
      const [initialize] = listOf(body).filter(isJSONRPCRequest);
      if (initialize === undefined) throw new TypeError("A session begins with a request.");
      const owner = session.principal.id;
      const entry: SessionEntry = { kind: "session", owner, initialize: { ...initialize }, subscriptions: [] };
      session.told.version = await directory.create(session.id, entry, idleMs);
    },
    async find(id, request, body, caller) {
      const found = await directory.read(id, { touchMs: idleMs });
      if (found === undefined) await get(id)?.close();
      if (found?.entry.kind !== "session" || found.entry.owner !== caller.principal.id) return noSession();
      if (request.method === "DELETE") {
        await directory.remove(id);
        peers.tell(topics.ended, id);
        await get(id)?.close();
        return new Response(null, { status: 200 });
      }
      const messages = await sendAnswers(id, listOf(body));
      for (const message of messages)
        if (cancelledId(message) !== undefined) peers.tell(topics.cancelled, { id, message });
      const isForSession = body === undefined || messages.some((message) => !isJSONRPCNotification(message));
      const here = get(id);
      // notifications change nothing in a session that is made only now
      if (here === undefined && !isForSession) return new Response(null, { status: 202 });
      if (messages.length === 0 && body !== undefined) return new Response(null, { status: 202 });
      const session = here ?? (await remake(id, found.entry, request, caller));
      if (session === undefined) return options.full();
      catchUp(session, found);
      await note(session, messages.filter(isTelling));
      return { session, body: Array.isArray(body) ? messages : messages[0] };
    },
    keep: ({ id }) => directory.touch(id, idleMs),
    [Symbol.dispose]() {
      for (const one of disposables) one[Symbol.dispose]();
    },
  };
}

export const noSession = (): Response => notFound("There is no such session. Initialize a new one.");

/** Whoever makes the server may know the session by its id; what a client sends of its own does not get there. */
export function withSessionId(request: Request, id: string): Request {
  const headers = new Headers(request.headers);
  headers.set("mcp-session-id", id);
  return new Request(request.url, { method: request.method, headers });
}

/** What a session was told so far: nothing. */
export const untold = (): SharedSession["told"] => ({ version: "", logLevel: undefined, subscriptions: new Set() });

/** Lets every question that leaves by a transport say who asks it, so that its answer finds back from any process. */
export function addressQuestions(transport: Transport, self: string): void {
  const send = transport.send.bind(transport);
  transport.send = (message, options) => {
    if (isJSONRPCRequest(message)) return send({ ...message, id: `${self}.${message.id}` }, options);
    const cancelled = cancelledId(message);
    if (cancelled === undefined || !isJSONRPCNotification(message)) return send(message, options);
    return send({ ...message, params: { ...message.params, requestId: `${self}.${cancelled}` } }, options);
  };
}

/** The request that a message cancels. */
export function cancelledId(message: unknown): RequestId | undefined {
  if (!isJSONRPCNotification(message) || message.method !== "notifications/cancelled") return undefined;
  const id = message.params?.requestId;
  return typeof id === "string" || typeof id === "number" ? id : undefined;
}

/** Who waits for an answer, and the answer under the id it was asked by there. */
function addressOf(message: unknown): { readonly peer: string; readonly answer: JSONRPCMessage } | undefined {
  if (!isJSONRPCResultResponse(message) && !isJSONRPCErrorResponse(message)) return undefined;
  const [, peer, id] = /^([\w-]+)\.(\d+)$/.exec(String(message.id)) ?? [];
  return peer === undefined ? undefined : { peer, answer: { ...message, id: Number(id) } };
}

const never = new AbortController().signal;

const listOf = (body: unknown): readonly unknown[] => (body === undefined ? [] : Array.isArray(body) ? body : [body]);

const telling = new Set(["logging/setLevel", "resources/subscribe", "resources/unsubscribe"]);
const isTelling = (message: unknown): message is object => isJSONRPCRequest(message) && telling.has(message.method);

/** What it changes is the same in an entry and in a session. */
function tell(told: Pick<SharedSession["told"], "logLevel" | "subscriptions">, message: object): void {
  if (!isJSONRPCRequest(message)) return;
  const { level, uri } = message.params ?? {};
  if (message.method === "logging/setLevel" && typeof level === "string") told.logLevel = level;
  if (message.method === "resources/subscribe" && typeof uri === "string") told.subscriptions.add(uri);
  if (message.method === "resources/unsubscribe" && typeof uri === "string") told.subscriptions.delete(uri);
}

function applied(entry: FoundEntry["entry"], changes: readonly object[]): FoundEntry["entry"] {
  if (entry.kind !== "session") return entry;
  const told = { logLevel: entry.logLevel, subscriptions: new Set(entry.subscriptions) };
  for (const change of changes) tell(told, change);
  return { ...entry, logLevel: told.logLevel, subscriptions: [...told.subscriptions] };
}

const toRequest = (method: string, params: object) => ({ jsonrpc: "2.0", id: crypto.randomUUID(), method, params });

/** Says to a session what its client has said before, and hears the answer. */
async function replay({ id, transport, principal }: SharedSession, message: object): Promise<void> {
  const headers = {
    accept: "application/json, text/event-stream",
    "content-type": "application/json",
    "mcp-session-id": id,
  };
  const request = new Request("http://localhost/mcp", { method: "POST", headers });
  const authInfo = toAuthInfo(principal);
  const response = await transport.handleRequest(request, { authInfo, parsedBody: { jsonrpc: "2.0", ...message } });
  await response.text();
}
