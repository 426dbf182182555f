/**
 * How a server is greeted, in whichever protocol era it speaks: what it says of itself is what comes out. A server of
 * unknown era is tried in the likelier one first; it knows no transport and no request beyond the greeting.
 */

import { anySignal } from "@database-interface/mcp-core/host";
import { type Fields, isFields } from "./message.js";

/** The protocol a server speaks: legacy up to 2025-11-25, modern from 2026-07-28. */
export type Era = "legacy" | "modern";

export const legacyVersion = "2025-11-25";
export const modernVersion = "2026-07-28";

/** What a server said of itself. */
export interface ServerDescription {
  readonly era: Era;
  readonly capabilities: Fields;
  readonly instructions?: string | undefined;
}

/** How to find out what a server speaks. */
export interface HandshakeOptions {
  readonly era: Era | "auto";
  /** For `auto`: the era to try first, from an earlier time. Default `modern`. */
  readonly likelyEra?: Era | undefined;
  readonly signal: AbortSignal;
  /** Milliseconds a server may leave the first try unanswered before the other era is tried beside it. */
  readonly probeMs: number;
  readonly identity: { readonly name: string; readonly version: string };
}

/** The line to the server. */
export interface Line {
  /** Nothing can arrive any more. */
  readonly isLost: boolean;
  ask(method: string, params: Fields, era: Era, signal: AbortSignal): Promise<Fields>;
  notify(method: string, params: Fields): void;
}

/**
 * Greets.
 * @throws AnsweredError, ConnectionLost, or the signal's reason
 */
export async function shakeHands(line: Line, options: HandshakeOptions): Promise<ServerDescription> {
  const { era, likelyEra = "modern", probeMs, identity } = options;
  using decided = disposableAbort();
  const signal = anySignal([options.signal, decided.signal]);
  const greet = (one: Era): Promise<ServerDescription> =>
    one === "modern" ? discover(line, signal) : initialize(line, signal, identity);
  if (era !== "auto") return await greet(era);
  const otherEra = likelyEra === "modern" ? "legacy" : "modern";
  const first = greet(likelyEra);
  try {
    const description = await Promise.race([first, silence(probeMs, signal)]);
    if (description !== undefined) return description;
  } catch (error) {
    if (options.signal.aborted || line.isLost) throw error;
    return await greet(otherEra);
  }
  // a server that is slow to start is not yet a legacy one: whichever greeting it answers well decides
  return await Promise.any([first, greet(otherEra)]).catch((error: AggregateError) => {
    throw error.errors.at(-1);
  });
}

const discover = async (line: Line, signal: AbortSignal): Promise<ServerDescription> =>
  toDescription("modern", await line.ask("server/discover", {}, "modern", signal));

async function initialize(line: Line, signal: AbortSignal, clientInfo: Fields): Promise<ServerDescription> {
  const capabilities = { elicitation: { form: {}, url: {} }, sampling: {}, roots: { listChanged: false } };
  const hello = { protocolVersion: legacyVersion, capabilities, clientInfo };
  const welcome = await line.ask("initialize", hello, "legacy", signal);
  line.notify("notifications/initialized", {});
  return toDescription("legacy", welcome);
}

function toDescription(era: Era, { capabilities, instructions }: Fields): ServerDescription {
  return {
    era,
    capabilities: isFields(capabilities) ? capabilities : {},
    ...(typeof instructions === "string" ? { instructions } : {}),
  };
}

/** Aborted when the block ends. */
function disposableAbort(): Disposable & { readonly signal: AbortSignal } {
  const controller = new AbortController();
  return { signal: controller.signal, [Symbol.dispose]: () => controller.abort() };
}

/** Resolves after a time; the clock stops with the signal. */
function silence(ms: number, signal: AbortSignal): Promise<undefined> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(undefined), ms);
    signal.addEventListener("abort", () => clearTimeout(timer), { once: true });
  });
}
