/**
 * The id under which a call stands in the logs of client, gateway and server: a W3C trace context, the client's own where
 * it sends one. It travels in `_meta.traceparent`, as the protocol has it, so that any server can log it too.
 * @see https://www.w3.org/TR/trace-context/
 */
import { randomBytes } from "node:crypto";
import { carrierOf, type Span, type TraceCarrier } from "@database-interface/mcp-core/host";

/** A call's trace context. */
export interface Trace {
  /** 32 hexadecimal digits. */
  readonly id: string;
  /** What servers are told: `traceparent` and what may stand beside it. */
  readonly carrier: TraceCarrier;
  /** The client sent it. */
  readonly isGiven: boolean;
}

const pattern = /^00-((?!0{32})[0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/;

/** The trace context of a request, by its `_meta` or headers; a new one where there is none or it is malformed. */
export function traceOf(meta: unknown, headers?: Pick<Headers, "get">): Trace {
  const carrier = carrierOf(meta, headers);
  const id = pattern.exec(carrier?.traceparent ?? "")?.[1];
  if (carrier !== undefined && id !== undefined) return { id, carrier, isGiven: true };
  const fresh = randomBytes(24).toString("hex");
  const traceparent = `00-${fresh.slice(0, 32)}-${fresh.slice(32)}-00`;
  return { id: fresh.slice(0, 32), carrier: { traceparent }, isGiven: false };
}

/** The context of a span, where there is one. */
export const traceIn = (span: Span | undefined, otherwise: Trace): Trace =>
  span === undefined ? otherwise : { id: span.traceId, carrier: span.carrier, isGiven: true };
