/** For commands that ask once and end: calls to databases, without sessions, runs or a model, and little to load. */
import { createDatabaseCalls, type DatabaseCalls } from "./database-calls.js";
import { createConnection } from "./gateway/connection.js";
import type { GatewaySpec } from "./gateway/launch.js";
import { openStateless } from "./gateway/stateless-client.js";
import { readVersion } from "./version.js";

/** Connects on first use; disposing it ends a gateway that was started for it. */
export function openOneOff(gateway: GatewaySpec): DatabaseCalls & AsyncDisposable {
  const connection = createConnection(gateway, readVersion(), openStateless);
  return { ...createDatabaseCalls(connection), [Symbol.asyncDispose]: () => connection[Symbol.asyncDispose]() };
}
