/**
 * An open, and where asked for encrypted, connection to one endpoint. TLS is negotiated here and not by the driver,
 * whose `require` and `prefer` skip verification. Knows nothing of what is said on the connection afterwards.
 */
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { isIP, connect as openTcp, type Socket } from "node:net";
import { homedir } from "node:os";
import { join } from "node:path";
import { type ConnectionOptions, connect as startTls, type TLSSocket } from "node:tls";
import { CodedError } from "@database-interface/mcp-core/host";
import { certificateHint } from "@database-interface/mcp-core/sql";
import type { Endpoint, TlsConfig } from "./config.js";

/** How one attempt protects its socket: not at all, always, or when the server offers it. */
export type Protection = "plain" | "tls" | "offered";

/** The attempts that a mode asks for, in order; the next is tried when the one before was refused. */
export function protectionsOf({ mode }: TlsConfig, { host }: Endpoint): readonly Protection[] {
  if (host.startsWith("/") || mode === "disable") return ["plain"];
  if (mode === "allow") return ["plain", "tls"];
  return mode === "prefer" ? ["offered", "plain"] : ["tls"];
}

/** @throws CodedError `connection_failed`, `tls_required`, `tls_failed`, or the signal's reason */
export async function openSocket(
  endpoint: Endpoint,
  tls: TlsConfig,
  protection: Protection,
  signal: AbortSignal,
): Promise<Socket | TLSSocket> {
  signal.throwIfAborted();
  const { host, port, address } = endpoint;
  const place = host.startsWith("/") ? { path: `${host}/.s.PGSQL.${port}` } : { host: address ?? host, port };
  const socket = openTcp(place);
  const stop = () => void socket.destroy(toError(signal.reason));
  signal.addEventListener("abort", stop, { once: true });
  try {
    await once(socket, "connect", unreachable);
    socket.setNoDelay(true).setKeepAlive(true, 30_000);
    if (protection === "plain") return socket;
    if (!tls.direct && !(await isTlsOffered(socket))) {
      if (protection === "offered") return socket;
      throw new CodedError("tls_required", "The server does not offer TLS, and the sslmode demands it.", {
        hint: "Enable ssl on the server, or use sslmode=prefer where the network is trusted.",
      });
    }
    const secured = startTls({ ...(await tlsOptions(endpoint, tls)), socket });
    await once(secured, "secureConnect", tlsFailure);
    return secured;
  } catch (thrown) {
    socket.destroy();
    throw thrown;
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

/** Resolves with the event; rejects with the socket's error, translated, or when it closes first. */
function once(socket: Socket, event: "connect" | "secureConnect", translate: (cause: unknown) => Error): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (act: () => void) => {
      socket.off(event, done).off("error", failed).off("close", closed);
      // From here on the connection's owner listens; an error in between must not end the process.
      socket.on("error", () => {});
      act();
    };
    const done = () => settle(resolve);
    const failed = (cause: unknown) => settle(() => reject(cause instanceof CodedError ? cause : translate(cause)));
    const closed = () => settle(() => reject(translate(new Error("closed by the server"))));
    socket.once(event, done).once("error", failed).once("close", closed);
  });
}

/** Asks with an SSLRequest (protocol 55.2.10); more than the one byte of answer would be someone in the middle. */
async function isTlsOffered(socket: Socket): Promise<boolean> {
  const answer = await new Promise<Buffer>((resolve, reject) => {
    const failed = (cause?: unknown) => reject(unreachable(cause));
    socket.once("data", (chunk: Buffer) => {
      socket.off("error", failed).off("close", failed);
      resolve(chunk);
    });
    socket.once("error", failed).once("close", failed);
    socket.write(Buffer.from([0, 0, 0, 8, 4, 210, 22, 47]));
  });
  if (answer.length !== 1) throw new CodedError("tls_failed", "The server answered the TLS request with too much.");
  return answer[0] === 0x53;
}

async function tlsOptions(endpoint: Endpoint, tls: TlsConfig): Promise<ConnectionOptions> {
  const isVerified = tls.mode === "verify-ca" || tls.mode === "verify-full";
  const [ca, cert, key] = await Promise.all([
    isVerified ? readRoot(tls.rootCertificate) : undefined,
    tls.certificate === undefined ? undefined : readPem(tls.certificate, "sslcert"),
    tls.key === undefined ? undefined : readPem(tls.key, "sslkey"),
  ]);
  return {
    host: endpoint.host,
    // Server Name Indication is for names only (RFC 6066, 3).
    ...(isIP(endpoint.host) ? {} : { servername: endpoint.host }),
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    ...(tls.direct ? { ALPNProtocols: ["postgresql"] } : {}),
    rejectUnauthorized: isVerified,
    // verify-ca checks who signed the certificate, not whom it names.
    ...(tls.mode === "verify-full" ? {} : { checkServerIdentity: () => undefined }),
    minVersion: "TLSv1.2",
  };
}

/** libpq's default file when it exists, else the authorities Node.js ships. */
async function readRoot(path: string | undefined): Promise<Buffer | undefined> {
  const chosen = path ?? join(homedir(), ".postgresql", "root.crt");
  if (path === "system" || (path === undefined && !existsSync(chosen))) return undefined;
  return await readPem(chosen, "sslrootcert");
}

async function readPem(path: string, option: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (cause) {
    throw new CodedError("tls_failed", `The file named by ${option} cannot be read.`, {
      hint: "Check the path and its permissions.",
      cause,
    });
  }
}

function unreachable(cause: unknown): CodedError {
  const code = typeof cause === "object" && cause !== null && "code" in cause ? String(cause.code) : "closed";
  return new CodedError("connection_failed", `No PostgreSQL server could be reached (${code}).`, {
    hint: "Check host and port, that the server runs, and that a firewall lets this machine in.",
    retryable: true,
    cause,
  });
}

function tlsFailure(cause: unknown): CodedError {
  const code = typeof cause === "object" && cause !== null && "code" in cause ? String(cause.code) : "handshake";
  return new CodedError("tls_failed", `TLS could not be established (${code}).`, {
    hint:
      certificateHint(code, { authority: "sslrootcert" }) ??
      "Check the server's TLS settings and whether it asks for a client certificate (sslcert, sslkey).",
    cause,
  });
}

function toError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error("aborted");
}
