/** Each sslmode on a real server: with its certificate, with none, with the wrong authority and under another name. */
import { execFile } from "node:child_process";
import { chown, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import postgres from "postgres";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { serverAccount } from "../../mcp-core/src/sample/index.js";
import { startInstance } from "../../mcp-postgres/src/instance.js";
import { findBinaries } from "../../mcp-postgres/src/instance-binaries.js";
import { codeOf, collect, limits, openSource } from "./open.js";

const run = promisify(execFile);
let folder: string;
let instance: Awaited<ReturnType<typeof startInstance>>;
let admin: postgres.Sql;

/** A key and a certificate for this name, signed by the authority, or by itself; `days` less than 0 for an old one. */
async function certify(name: string, subject: string, authority?: string, days = 2): Promise<void> {
  const file = (end: string) => join(folder, `${name}.${end}`);
  const usual = ["-newkey", "rsa:2048", "-nodes", "-keyout", file("key"), "-subj", `/CN=${subject}`];
  if (authority === undefined) {
    await run("openssl", ["req", "-x509", ...usual, "-days", "2", "-out", file("pem")]);
    return;
  }
  await run("openssl", ["req", ...usual, "-out", file("csr")]);
  await writeFile(file("ext"), `subjectAltName=DNS:${subject}\n`);
  const signer = [
    "-CA",
    join(folder, `${authority}.pem`),
    "-CAkey",
    join(folder, `${authority}.key`),
    "-CAcreateserial",
  ];
  const request = ["-in", file("csr"), "-extfile", file("ext"), "-days", String(days), "-out", file("pem")];
  await run("openssl", ["x509", "-req", ...request, ...signer]);
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "pg-tls-"));
  await certify("ca", "authority");
  await certify("stranger", "stranger");
  await certify("server", "localhost", "ca");
  await certify("client", "certified", "ca");
  await certify("expired", "localhost", "ca", -1);
  const log = { debug: () => {}, warn: () => {} };
  const signal = AbortSignal.timeout(60_000);
  instance = await startInstance({ binaries: await findBinaries({ signal, log }), signal });
  admin = postgres(instance.url("postgres"), { max: 1, onnotice: () => {} });
  const [{ folder: data = "" } = {}] = await admin<
    { folder?: string }[]
  >`SELECT setting AS folder FROM pg_settings WHERE name = 'data_directory'`;
  const account = serverAccount();
  for (const name of ["server", "expired", "stranger"]
    .flatMap((file) => [`${file}.key`, `${file}.pem`])
    .concat("ca.pem")) {
    await writeFile(join(data, name), await readFile(join(folder, name)), { mode: 0o600 });
    if (account !== undefined) await chown(join(data, name), account.uid, account.gid);
  }
  const rules = await readFile(join(data, "pg_hba.conf"), "utf8");
  await writeFile(join(data, "pg_hba.conf"), `hostssl all certified 127.0.0.1/32 cert\n${rules}`);
  await admin.unsafe("ALTER SYSTEM SET ssl_cert_file = 'server.pem'");
  await admin.unsafe("ALTER SYSTEM SET ssl_key_file = 'server.key'");
  await admin.unsafe("ALTER SYSTEM SET ssl_ca_file = 'ca.pem'");
  await admin.unsafe("CREATE ROLE certified LOGIN");
});
afterAll(async () => {
  await admin?.end({ timeout: 1 });
  await instance?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

async function outcome(host: string, options: string, user?: string): Promise<unknown> {
  const url = instance.url("postgres", user).replace("127.0.0.1", host);
  const query = options.replaceAll("{", encodeURIComponent(`${folder}/`)).replaceAll("}", ".pem");
  await using source = openSource(`${url}?${query}`);
  const code = await codeOf(collect(source, "SELECT 1"));
  return code ?? ((await source.check(limits())).tls === false ? "plain" : "tls");
}

async function setSsl(isOn: boolean): Promise<void> {
  await admin.unsafe(`ALTER SYSTEM SET ssl = ${isOn ? "on" : "off"}`);
  await admin`SELECT pg_reload_conf()`;
  for (let round = 0; round < 100; round++) {
    if ((await outcome("127.0.0.1", "sslmode=prefer")) === (isOn ? "tls" : "plain")) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error("the server did not reload");
}

test("a server without TLS", async () => {
  await setSsl(false);
  expect(await outcome("localhost", "sslmode=disable")).toBe("plain");
  expect(await outcome("localhost", "sslmode=allow")).toBe("plain");
  expect(await outcome("localhost", "sslmode=prefer")).toBe("plain");
  for (const mode of ["require", "verify-ca", "verify-full"]) {
    expect(await outcome("localhost", `sslmode=${mode}`)).toBe("tls_required");
  }
});

test("a server with TLS", async () => {
  await setSsl(true);
  const cases: readonly (readonly [host: string, options: string, expected: string])[] = [
    ["localhost", "sslmode=disable", "plain"],
    ["localhost", "sslmode=allow", "plain"],
    ["localhost", "sslmode=prefer", "tls"],
    ["127.0.0.1", "sslmode=require", "tls"],
    ["localhost", "sslmode=require&sslrootcert={stranger}", "tls_failed"],
    ["127.0.0.1", "sslmode=verify-ca&sslrootcert={ca}", "tls"],
    ["localhost", "sslmode=verify-ca&sslrootcert={stranger}", "tls_failed"],
    ["localhost", "sslmode=verify-ca", "tls_failed"],
    ["localhost", "sslmode=verify-full&sslrootcert={ca}", "tls"],
    ["127.0.0.1", "sslmode=verify-full&sslrootcert={ca}", "tls_failed"],
    ["localhost", "sslmode=verify-full&sslrootcert={stranger}", "tls_failed"],
    ["localhost", "sslrootcert=system", "tls_failed"],
    // the address is where it connects to, the name what the certificate must have
    ["nowhere.invalid", "sslmode=verify-ca&sslrootcert={ca}&hostaddr=127.0.0.1", "tls"],
    ["nowhere.invalid", "sslmode=verify-full&sslrootcert={ca}&hostaddr=127.0.0.1", "tls_failed"],
    ["localhost", "sslmode=verify-full&sslrootcert={ca}&hostaddr=127.0.0.1", "tls"],
    ["localhost", "sslmode=verify-full&sslrootcert={missing}", "tls_failed"],
  ];
  for (const [host, options, expected] of cases) {
    expect(`${host} ${options}: ${await outcome(host, options)}`).toBe(`${host} ${options}: ${expected}`);
  }
});

test("a server's certificate that does not verify, and what to do about it", async () => {
  await setSsl(true);
  const cases: readonly (readonly [certificate: string, host: string, options: string, expected: RegExp])[] = [
    ["expired", "localhost", "sslmode=verify-full&sslrootcert={ca}", /CERT_HAS_EXPIRED.*renew it/],
    ["expired", "localhost", "sslmode=verify-ca&sslrootcert={ca}", /CERT_HAS_EXPIRED.*renew it/],
    ["expired", "localhost", "sslmode=require&sslrootcert={ca}", /CERT_HAS_EXPIRED.*renew it/],
    ["expired", "localhost", "sslmode=require", /^tls$/],
    ["stranger", "localhost", "sslmode=verify-full&sslrootcert={ca}", /SELF_SIGNED.*signed by itself.*sslrootcert/],
    ["stranger", "localhost", "sslmode=verify-full&sslrootcert=system", /SELF_SIGNED.*signed by itself.*sslrootcert/],
    ["stranger", "localhost", "sslmode=verify-full&sslrootcert={stranger}", /ALTNAME_INVALID.*other names/],
    ["stranger", "localhost", "sslmode=verify-ca&sslrootcert={stranger}", /^tls$/],
    ["stranger", "localhost", "sslmode=require", /^tls$/],
    ["server", "localhost", "sslmode=verify-full&sslrootcert=system", /authority that signed.*sslrootcert/],
    ["server", "localhost", "sslmode=verify-full&sslrootcert={stranger}", /authority that signed.*sslrootcert/],
    ["server", "127.0.0.1", "sslmode=verify-full&sslrootcert={ca}", /ALTNAME_INVALID.*other names/],
  ];
  for (const [certificate, host, options, expected] of cases) {
    await useCertificate(certificate);
    const words = await saying(host, options);
    expect(words, `${certificate} at ${host} with ${options}`).toMatch(expected);
    if (words !== "tls") expect(words).toMatch(/^tls_failed /);
  }
});

/** `tls`, or code, message and hint. */
async function saying(host: string, options: string): Promise<string> {
  const query = options.replaceAll("{", encodeURIComponent(`${folder}/`)).replaceAll("}", ".pem");
  await using source = openSource(`${instance.url("postgres").replace("127.0.0.1", host)}?${query}`);
  return await collect(source, "SELECT 1").then(
    () => "tls",
    ({ code, message, hint }) => `${code} ${message} ${hint}`,
  );
}

async function useCertificate(name: string): Promise<void> {
  await admin.unsafe(`ALTER SYSTEM SET ssl_cert_file = '${name}.pem'`);
  await admin.unsafe(`ALTER SYSTEM SET ssl_key_file = '${name}.key'`);
  await admin`SELECT pg_reload_conf()`;
  const isThere = async () => {
    await using source = openSource(`${instance.url("postgres")}?sslmode=require`);
    return (await collect(source, "SHOW ssl_cert_file")).rows[0]?.[0] === `${name}.pem`;
  };
  await vi.waitUntil(isThere, 10_000);
}

test("a client certificate", async () => {
  await setSsl(true);
  const key = `sslkey=${encodeURIComponent(join(folder, "client.key"))}`;
  expect(await outcome("localhost", `sslmode=require&sslcert={client}&${key}`, "certified")).toBe("tls");
  expect(await outcome("localhost", "sslmode=require", "certified")).toBe("authentication_failed");
});
