/**
 * The gate that work passes on its way in: open, or shut while the gateway drains, when what is inside ends as it would
 * have and nothing new begins. It knows what is inside, so that whoever waits for it can be told.
 */
import { CodedError } from "@database-interface/mcp-core/host";
import * as v from "valibot";

export const drainReport = v.object({
  draining: v.boolean(),
  /** ISO 8601. */
  since: v.optional(v.string()),
  /** What is still inside, */
  remaining: v.number(),
  /** and of that the oldest. */
  work: v.array(v.object({ what: v.string(), principal: v.string(), ms: v.number() })),
});
export type DrainReport = v.InferInput<typeof drainReport>;

/** The way in for calls, and for what REST and pages set going. */
export interface Gate {
  readonly isDraining: boolean;
  /** Until disposed it is inside. @throws CodedError `draining` unless it goes on with what began before */
  enter(what: string, principal: string, isGoingOn?: boolean): Disposable;
  shut(): DrainReport;
  reopen(): DrainReport;
  report(): DrainReport;
}

const maxTold = 50;

export function createGate({ now = Date.now }: { readonly now?: () => number } = {}): Gate {
  const inside = new Set<{ readonly what: string; readonly principal: string; readonly since: number }>();
  let shutAt: number | undefined;

  const report = (): DrainReport => ({
    draining: shutAt !== undefined,
    ...(shutAt === undefined ? {} : { since: new Date(shutAt).toISOString() }),
    remaining: inside.size,
    work: [...inside]
      .slice(0, maxTold)
      .map(({ what, principal, since }) => ({ what, principal, ms: Math.max(0, now() - since) })),
  });

  return {
    report,
    get isDraining() {
      return shutAt !== undefined;
    },
    enter(what, principal, isGoingOn = false) {
      if (shutAt !== undefined && !isGoingOn) throw draining();
      const one = { what, principal, since: now() };
      inside.add(one);
      return { [Symbol.dispose]: () => void inside.delete(one) };
    },
    shut() {
      shutAt ??= now();
      return report();
    },
    reopen() {
      shutAt = undefined;
      return report();
    },
  };
}

export const draining = (): CodedError =>
  new CodedError("draining", "The gateway is being drained: what runs may end, nothing new begins.", {
    hint: "Try again in a moment; another one answers then, or this one does again.",
    retryable: true,
  });
