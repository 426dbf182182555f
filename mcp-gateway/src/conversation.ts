/**
 * One call that may ask the client questions on the way. A legacy server asks in the middle of a call; a modern client
 * is asked by an answer that says what is needed, and calls again with it. Between the two the call stands here, bounded
 * in number and time. It knows no transport and no tool.
 */
import { randomBytes } from "node:crypto";
import { CodedError } from "@database-interface/mcp-core/host";
import type { Fields } from "./message.js";

/** A question a server puts to the client. */
export interface Question {
  readonly method: string;
  readonly params: Fields;
}

type Ask = (question: Question) => Promise<Fields>;

/** Calls that stand between a question and its answer. */
export interface Conversations extends Disposable {
  /** Starts a call; resolves to its result, or to what the client must supply before it goes on. */
  begin(key: string, run: (ask: Ask, signal: AbortSignal) => Promise<Fields>, signal: AbortSignal): Promise<Fields>;
  /** Goes on with a call. @throws CodedError `call_expired` when there is no such call, or it is another one */
  resume(token: string, key: string, answers: Fields, signal: AbortSignal): Promise<Fields>;
  /** Whether a `requestState` is one of ours. */
  owns(token: string | undefined): token is string;
}

const prefix = "mcp-gateway.";

interface Conversation {
  readonly key: string;
  readonly controller: AbortController;
  readonly open: Map<string, { question: Question; resolve(answer: Fields): void }>;
  readonly ended: Promise<{ result: Fields } | { error: unknown }>;
  wake: () => void;
  timer: NodeJS.Timeout | undefined;
}

/** `ttlMs`: how long a call waits for its client; `maxWaiting`: how many may wait. */
export function createConversations({ ttlMs, maxWaiting }: { ttlMs: number; maxWaiting: number }): Conversations {
  const waiting = new Map<string, Conversation>();

  async function turn(one: Conversation, signal: AbortSignal): Promise<Fields> {
    const abort = (): void => one.controller.abort(signal.reason);
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort, { once: true });
    try {
      const asked = new Promise<undefined>((resolve) => {
        one.wake = () => resolve(undefined);
        if (one.open.size > 0) resolve(undefined);
      });
      const outcome = await Promise.race([one.ended, asked]);
      if (outcome === undefined) return suspend(one);
      if ("error" in outcome) throw outcome.error;
      return outcome.result;
    } finally {
      signal.removeEventListener("abort", abort);
    }
  }

  function suspend(one: Conversation): Fields {
    if (waiting.size >= maxWaiting) {
      one.controller.abort(
        new CodedError("busy", "Too many calls are waiting for their clients.", {
          retryable: true,
          hint: "Try again later.",
        }),
      );
      throw one.controller.signal.reason;
    }
    const token = prefix + randomBytes(16).toString("base64url");
    waiting.set(token, one);
    one.timer = setTimeout(() => {
      waiting.delete(token);
      one.controller.abort(new CodedError("call_expired", "The client did not answer in time."));
    }, ttlMs);
    one.timer.unref();
    const inputRequests = Object.fromEntries([...one.open].map(([name, { question }]) => [name, question]));
    return { resultType: "input_required", inputRequests, requestState: token };
  }

  return {
    owns: (token): token is string => token?.startsWith(prefix) ?? false,
    begin(key, run, signal) {
      const controller = new AbortController();
      let asked = 0;
      const one: Conversation = {
        key,
        controller,
        open: new Map(),
        wake: () => {},
        timer: undefined,
        ended: Promise.resolve()
          .then(() => run(ask, controller.signal))
          .then(
            (result) => ({ result }),
            (error: unknown) => ({ error }),
          ),
      };
      function ask(question: Question): Promise<Fields> {
        return new Promise((resolve, reject) => {
          one.open.set(`question_${++asked}`, { question, resolve });
          controller.signal.addEventListener("abort", () => reject(controller.signal.reason), { once: true });
          one.wake();
        });
      }
      return turn(one, signal);
    },
    resume(token, key, answers, signal) {
      const one = waiting.get(token);
      if (one === undefined || one.key !== key) {
        return Promise.reject(
          new CodedError("call_expired", "There is no call waiting under this requestState.", {
            hint: "Make the call again from the start.",
          }),
        );
      }
      waiting.delete(token);
      clearTimeout(one.timer);
      for (const [name, { resolve }] of one.open) {
        const answer = answers[name];
        if (typeof answer !== "object" || answer === null) continue;
        one.open.delete(name);
        resolve(answer as Fields); // a JSON object
      }
      return turn(one, signal);
    },
    [Symbol.dispose]() {
      for (const one of waiting.values()) {
        clearTimeout(one.timer);
        one.controller.abort(new CodedError("call_expired", "The gateway is stopping."));
      }
      waiting.clear();
    },
  };
}
