/** Asks the server to stop what one of its processes is doing (protocol 55.2.8). The driver's own way is not bounded. */
import type { TlsConfig } from "./config.js";
import type { Session } from "./session.js";
import { openSocket } from "./socket.js";

const cancelTimeoutMs = 2_000;

/**
 * Sends a cancel request for the session's process, unless `isStillOurs` says otherwise at the last moment; resolves
 * when the server has passed the signal on (it closes the connection), or could not be asked in time.
 */
export async function cancelStatement(session: Session, tls: TlsConfig, isStillOurs: () => boolean): Promise<void> {
  const { key } = session;
  if (key === undefined || !session.isOpen) return;
  const signal = AbortSignal.timeout(cancelTimeoutMs);
  try {
    const socket = await openSocket(session.endpoint, tls, session.protection, signal);
    if (!isStillOurs()) return void socket.destroy();
    const request = Buffer.alloc(16);
    request.writeInt32BE(16, 0);
    request.writeInt32BE(80_877_102, 4);
    request.writeInt32BE(key.processId, 8);
    request.writeInt32BE(key.secret, 12);
    await new Promise<void>((resolve) => {
      const stop = () => void socket.destroy();
      signal.addEventListener("abort", stop, { once: true });
      socket.on("error", () => {});
      socket.once("close", () => {
        signal.removeEventListener("abort", stop);
        resolve();
      });
      socket.resume();
      socket.write(request);
    });
  } catch {
    // The server can't be asked: cutting the connection is all that is left.
    session.destroy(new Error("cancel failed"));
  }
}
