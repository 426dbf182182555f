/** What the face towards clients is made from. */
import type { Log, Tracing } from "@database-interface/mcp-core/host";
import type { Recorder } from "./audit/recorder.js";
import type { Conversations } from "./conversation.js";
import type { Gate } from "./drain.js";
import type { Member } from "./member.js";
import type { Meter } from "./meter.js";
import type { Names } from "./naming.js";
import type { Elsewhere } from "./replicas/elsewhere.js";
import type { Router } from "./routing.js";
import type { SessionDesk } from "./sessions/desk.js";
import type { Subscriptions } from "./subscriptions.js";

/** What the face shows and where it sends requests. */
export interface FrontOptions {
  readonly identity: { readonly name: string; readonly version: string };
  readonly members: readonly Member[];
  readonly router: Router;
  readonly conversations: Conversations;
  readonly subscriptions: Subscriptions;
  readonly meter: Meter;
  readonly recorder: Recorder;
  readonly gate: Gate;
  readonly log: Log;
  readonly tracing: Tracing;
  /** What the gateway itself answers, and where calls of a session go. */
  readonly desk: SessionDesk;
  /** Brings calls to the replica they have to go to, where there are several. */
  readonly elsewhere: Elsewhere | undefined;
  names(): Names;
  instructions(): string;
  /** Resolves when every server has been listed once, or should have been. */
  whenListed(signal: AbortSignal): Promise<void>;
  /** Milliseconds one server may hold up a list. */
  readonly listMs: number;
  onLogLevel(level: string): void;
}
