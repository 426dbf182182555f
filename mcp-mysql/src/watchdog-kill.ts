/** What the watchdog's process does in the end. Apart, so that the driver is loaded after the process is up. */
import { kill, type Target } from "./cancel.js";
import { type Address, openBare } from "./connect.js";

/** A session that cannot be killed is left to its statement's own time limit. */
export async function killSession(target: Target & Address, timeoutMs: number): Promise<void> {
  const session = await openBare(target, AbortSignal.timeout(timeoutMs));
  await kill(session, target, "CONNECTION");
  await session[Symbol.asyncDispose]();
}
