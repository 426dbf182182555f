/**
 * The id under which a call stands in the logs of client, gateway and server: a W3C trace context, the client's own where
 * it sends one. It travels in `_meta.traceparent`, as the protocol has it, so that any server can log it too.
 * @see https://www.w3.org/TR/trace-context/
 */
import { randomBytes } from "node:crypto";
import { isFields } from "./message.js";

/** A call's trace context. */
export interface Trace {
  /** 32 hexadecimal digits. */
  readonly id: string;
  /** What servers are told. */
  readonly traceparent: string;
}

const pattern = /^00-((?!0{32})[0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/;

/** The trace context in a request's `_meta`, a new one where there is none or it is malformed. */
export function traceOf(meta: unknown): Trace {
  const given = isFields(meta) ? meta.traceparent : undefined;
  const id = typeof given === "string" ? pattern.exec(given)?.[1] : undefined;
  if (typeof given === "string" && id !== undefined) return { id, traceparent: given };
  const fresh = randomBytes(24).toString("hex");
  return { id: fresh.slice(0, 32), traceparent: `00-${fresh.slice(0, 32)}-${fresh.slice(32)}-00` };
}
