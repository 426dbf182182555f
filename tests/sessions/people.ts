/** People who use one gateway: each calls its routes and tools as whom the door has let in, without the door. */
import { randomBytes } from "node:crypto";
import { createConnection } from "mariadb";
import postgres from "postgres";
import type { Principal, Role } from "../../mcp-core/src/host/index.js";
import { matchPath } from "../../mcp-core/src/host/route-path.js";
import type { Gateway } from "../../mcp-gateway/src/index.js";
import { textOf } from "../gateway/gateways.js";
import { mysqlUrl, postgresUrl } from "../support/services.js";

/** An answer of the REST face. */
export interface RestAnswer {
  readonly status: number;
  readonly text: string;
  /** The parsed body, `{}` where there is none. */
  readonly body: Record<string, unknown>;
  readonly headers: Headers;
}

/** Somebody who has come in. */
export interface Person {
  readonly id: string;
  rest(method: string, path: string, body?: unknown): Promise<RestAnswer>;
  /** Calls a tool as a modern client without any capability; the parsed text of its result. */
  tool(name: string, given?: Record<string, unknown>): Promise<Record<string, unknown>>;
  /** Opens a session and resolves to its reference. */
  openSession(): Promise<string>;
}

export function person(gateway: Gateway, id: string, roles: readonly Role[] = ["use", "write"]): Person {
  const principal: Principal = { id, roles: new Set(roles) };
  const context = () => ({ principal, signal: new AbortController().signal, remoteAddress: "127.0.0.1" });
  const self: Person = {
    id,
    async rest(method, path, body) {
      const url = new URL(path, "http://127.0.0.1");
      const route = gateway.routes.find(
        (one) => one.method === method && matchPath(one.path, url.pathname) !== undefined,
      );
      if (route === undefined) throw new Error(`no route ${method} ${path}`);
      const request = new Request(url, {
        method,
        ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { "content-type": "application/json" } }),
      });
      const response = await route.handle(request, context());
      const text = await response.text();
      const isJson = /json/.test(response.headers.get("content-type") ?? "");
      return { status: response.status, text, body: isJson ? JSON.parse(text) : {}, headers: response.headers };
    },
    async tool(name, given = {}) {
      const _meta = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
      };
      const call = { id: 1, params: { name, arguments: given, _meta }, envelope: _meta, headers: new Headers() };
      await gateway.ready({ signal: AbortSignal.timeout(20_000) }); // a plain call is of a tool that is known
      const answer = await gateway.onPlainCall(call, context());
      if (answer === undefined || !("result" in answer)) throw new Error(`no result: ${JSON.stringify(answer)}`);
      return JSON.parse(textOf(answer.result));
    },
    async openSession() {
      const { body } = await self.rest("POST", "/v1/sessions", {});
      return String(body.session);
    },
  };
  return self;
}

/** A database user of their own, with a password, gone when disposed. */
export interface DatabaseUser extends AsyncDisposable {
  readonly user: string;
  readonly password: string;
  setPassword(password: string): Promise<void>;
}

const freshName = (): string => `u_${randomBytes(5).toString("hex")}`;
const freshPassword = (): string => `pw-${randomBytes(9).toString("hex")}`;

/** Whose password MariaDB checks, unlike PostgreSQL where local connections are trusted. */
export async function createMysqlUser(database: string, password = freshPassword()): Promise<DatabaseUser> {
  const { hostname, port, username, password: own } = new URL(mysqlUrl());
  const admin = await createConnection({
    host: hostname,
    port: Number(port || 3306),
    user: decodeURIComponent(username),
    password: decodeURIComponent(own),
  });
  const user = freshName();
  await admin.query(`CREATE USER ${user}@'%' IDENTIFIED BY ?`, [password]);
  await admin.query(`GRANT SELECT ON ${database}.* TO ${user}@'%'`);
  return {
    user,
    password,
    async setPassword(next) {
      await admin.query(`ALTER USER ${user}@'%' IDENTIFIED BY ?`, [next]);
    },
    async [Symbol.asyncDispose]() {
      await admin.query(`DROP USER ${user}@'%'`);
      await admin.end();
    },
  };
}

/** A role of PostgreSQL's. @param server an administrator's URL */
export async function createPostgresUser(server = postgresUrl(), password = freshPassword()): Promise<DatabaseUser> {
  const admin = postgres(server, { max: 1, onnotice: () => {} });
  const user = freshName();
  await admin.unsafe(`CREATE ROLE ${user} LOGIN PASSWORD ${quoted(password)}`);
  return {
    user,
    password,
    async setPassword(next) {
      await admin.unsafe(`ALTER ROLE ${user} PASSWORD ${quoted(next)}`);
    },
    async [Symbol.asyncDispose]() {
      await admin.unsafe(`DROP ROLE ${user}`);
      await admin.end({ timeout: 1 });
    },
  };
}

const quoted = (text: string): string => `'${text.replaceAll("'", "''")}'`;

/** Templates for these servers; default: those under test. */
export function testTemplates({ pg = postgresUrl(), my = mysqlUrl() } = {}) {
  const placeOf = (url: string, port: string): string => `${new URL(url).hostname}:${new URL(url).port || port}`;
  return {
    pg: { server: "postgres", hosts: [placeOf(pg, "5432")], private: true },
    my: { server: "mysql", hosts: [placeOf(my, "3306")], private: true },
  };
}
