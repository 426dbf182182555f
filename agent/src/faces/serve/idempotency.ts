/** `Idempotency-Key`: the same request sent again gets the same answer, and nothing is done twice. In memory, a day long. */
import { createHash } from "node:crypto";
import { AgentError } from "../../errors.js";

/** A request that may come again. */
export interface Repeatable {
  readonly key: string;
  /** Whose it is, and what is asked: the same key elsewhere is another one. */
  readonly scope: string;
  readonly body: string;
}

/** Answers that are kept. */
export interface Idempotency {
  /** The kept answer, or the one `run` gives. @throws AgentError `idempotency_mismatch`, `query_invalid` */
  once(request: Repeatable, run: () => Promise<Response>): Promise<Response>;
}

interface Answer {
  readonly status: number;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: string;
}

interface Entry {
  readonly digest: string;
  readonly answer: Promise<Answer>;
  readonly at: number;
  bytes: number;
}

const keptMs = 24 * 3_600_000;
const mostEntries = 2_000;
const mostBytes = 32 * 2 ** 20;

/** None yet. */
export function createIdempotency(now: () => number = Date.now): Idempotency {
  const entries = new Map<string, Entry>(); // in the order they came

  function forgetOld(): void {
    let bytes = [...entries.values()].reduce((sum, entry) => sum + entry.bytes, 0);
    for (const [name, entry] of entries) {
      if (entries.size <= mostEntries && bytes <= mostBytes && now() - entry.at < keptMs) return;
      bytes -= entry.bytes;
      entries.delete(name);
    }
  }

  return {
    async once({ key, scope, body }, run) {
      if (!/^[\x21-\x7e]{1,255}$/.test(key)) {
        throw new AgentError("query_invalid", "An Idempotency-Key has 1 to 255 visible characters.");
      }
      forgetOld();
      const name = `${scope}\n${key}`;
      const digest = createHash("sha256").update(body).digest("base64");
      const known = entries.get(name);
      if (known !== undefined) {
        if (known.digest !== digest) {
          throw new AgentError("idempotency_mismatch", "This Idempotency-Key came with another body before.", {
            hint: "Use a key of its own for each request.",
          });
        }
        return toResponse(await known.answer, { "idempotency-replayed": "true" });
      }
      const answer = run().then(async (response) => ({
        status: response.status,
        headers: [...response.headers],
        body: await response.text(),
      }));
      const entry: Entry = { digest, answer, at: now(), bytes: 0 };
      entries.set(name, entry);
      try {
        const given = await answer;
        entry.bytes = given.body.length;
        if (given.status >= 500 || given.status === 429) entries.delete(name); // trying again is what it is for
        return toResponse(given);
      } catch (error) {
        entries.delete(name);
        throw error;
      }
    },
  };
}

const toResponse = ({ status, headers, body }: Answer, more: Readonly<Record<string, string>> = {}): Response =>
  new Response(body === "" ? null : body, {
    status,
    headers: [...headers.map(([name, value]) => [name, value] as [string, string]), ...Object.entries(more)],
  });
