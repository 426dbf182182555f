/** Each ssl-mode on a real server: with its certificate, the wrong authority, another name, and a client's certificate. */
import { execFile } from "node:child_process";
import { chmod, copyFile, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { createConnection } from "mariadb";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startInstance } from "../../mcp-mysql/src/instance.js";
import { baseFolder, findBinaries } from "../../mcp-mysql/src/instance-binaries.js";
import { runOn } from "../support/mariadb-instances.js";
import { answerOf, bounds, openSource } from "./open.js";

const run = promisify(execFile);
let folder: string;
let instance: Awaited<ReturnType<typeof startInstance>>;

/** A key and certificate, self-signed, or for `localhost` and signed by the authority; `days` less than 0 for an old one. */
async function certify(name: string, signer?: string, days = 2): Promise<void> {
  const path = (file: string) => join(folder, file);
  const key = ["req", "-newkey", "rsa:2048", "-nodes", "-keyout", path(`${name}.key`)];
  if (signer === undefined) {
    await run("openssl", [...key, "-x509", "-days", "2", "-subj", `/CN=${name}`, "-out", path(`${name}.pem`)]);
  } else {
    await run("openssl", [...key, "-subj", "/CN=localhost", "-out", path(`${name}.csr`)]);
    await writeFile(path("extension"), "subjectAltName=DNS:localhost\n");
    const authority = ["-CA", path(`${signer}.pem`), "-CAkey", path(`${signer}.key`), "-CAcreateserial"];
    const request = ["-req", "-in", path(`${name}.csr`), "-extfile", path("extension"), "-days", String(days)];
    await run("openssl", ["x509", ...request, ...authority, "-out", path(`${name}.pem`)]);
  }
  // The private server may run as another user.
  await chmod(path(`${name}.key`), 0o644);
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "mysql-tls-"));
  await chmod(folder, 0o755);
  await certify("authority");
  await certify("stranger");
  await certify("client", "authority");
  await certify("own", "authority");
  await certify("expired", "authority", -1);
  await useCertificate("own");
  const signal = AbortSignal.timeout(90_000);
  const binaries = await findBinaries({ signal });
  // The same program with TLS on: these settings cannot be changed on a running server.
  const server = join(folder, "mariadbd");
  const settings = `--ssl-ca=${folder}/authority.pem --ssl-cert=${folder}/server.pem --ssl-key=${folder}/server.key`;
  const base = binaries.root === undefined ? "" : `--basedir=${baseFolder(binaries)}`;
  await writeFile(server, `#!/bin/sh\nexec ${binaries.server} "$@" ${settings} ${base}\n`, { mode: 0o755 });
  instance = await startInstance({ binaries: { ...binaries, server }, signal });
  const { port, username, password } = new URL(instance.url("test"));
  const admin = await createConnection({ host: "127.0.0.1", port: Number(port), user: username, password });
  await admin.query("CREATE USER certified@'%' IDENTIFIED BY 'c' REQUIRE X509");
  await admin.query("CREATE USER secured@'%' IDENTIFIED BY 'c' REQUIRE SSL");
  await admin.query("GRANT SELECT ON test.* TO certified@'%', secured@'%'");
  await admin.end();
}, 120_000);
afterAll(async () => {
  await instance?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

/** What the server has from its next start or `FLUSH SSL` on. */
async function useCertificate(name: string): Promise<void> {
  for (const end of ["pem", "key"]) await copyFile(join(folder, `${name}.${end}`), join(folder, `server.${end}`));
}

test.each<[user: string, host: string, options: string, expected: string | RegExp]>([
  ["root", "127.0.0.1", "ssl-mode=DISABLED", "plain"],
  ["root", "127.0.0.1", "ssl-mode=PREFERRED", /^TLSv1\.[23]$/],
  ["root", "127.0.0.1", "ssl-mode=REQUIRED", /^TLSv1\.[23]$/],
  ["root", "127.0.0.1", "ssl-mode=VERIFY_CA", "tls_failed"],
  ["root", "127.0.0.1", "ssl-mode=VERIFY_CA&ssl-ca={stranger}", "tls_failed"],
  ["root", "127.0.0.1", "ssl-mode=VERIFY_CA&ssl-ca={authority}", /^TLSv1\.[23]$/],
  ["root", "127.0.0.1", "ssl-mode=VERIFY_IDENTITY&ssl-ca={authority}", "tls_failed"],
  ["secured", "localhost", "ssl-mode=VERIFY_IDENTITY&ssl-ca={authority}", /^TLSv1\.[23]$/],
  ["secured", "localhost", "ssl-mode=VERIFY_IDENTITY&ssl-ca={stranger}", "tls_failed"],
  // the address is where it connects to, the name what the certificate must have
  ["secured", "nowhere.invalid", "ssl-mode=VERIFY_CA&ssl-ca={authority}&hostaddr=127.0.0.1", /^TLSv1\.[23]$/],
  ["secured", "nowhere.invalid", "ssl-mode=VERIFY_IDENTITY&ssl-ca={authority}&hostaddr=127.0.0.1", "tls_failed"],
  ["secured", "localhost", "ssl-mode=VERIFY_IDENTITY&ssl-ca={authority}&hostaddr=127.0.0.1", /^TLSv1\.[23]$/],
  ["secured", "127.0.0.1", "ssl-mode=DISABLED", "authentication_failed"],
  ["certified", "127.0.0.1", "ssl-mode=REQUIRED", "authentication_failed"],
  ["certified", "127.0.0.1", "ssl-mode=REQUIRED&ssl-cert={client}&ssl-key={client-key}", /^TLSv1\.[23]$/],
  ["certified", "127.0.0.1", "ssl-mode=REQUIRED&ssl-cert={client}&ssl-key={stranger-key}", /^tls_failed$/],
])("%s at %s with %s: %s", async (user, host, options, expected) => {
  const files = options.replace(/\{(\w+)(-key)?\}/g, (_, name, key) =>
    encodeURIComponent(join(folder, `${name}.${key === undefined ? "pem" : "key"}`)),
  );
  const url = new URL(instance.url("test"));
  if (user !== "root") Object.assign(url, { username: user, password: "c" });
  await using source = openSource(`${url.href.replace("127.0.0.1", host)}?${files}`);
  const outcome = await answerOf(source, "SELECT 1").then(
    async () => (await source.check(bounds())).tls || "plain",
    (thrown: unknown) => Reflect.get(Object(thrown), "code"),
  );
  expect(outcome).toMatch(expected);
});

test("a server's certificate that does not verify, and what to do about it", async () => {
  const cases: readonly (readonly [certificate: string, host: string, options: string, expected: RegExp])[] = [
    ["expired", "localhost", "ssl-mode=VERIFY_IDENTITY&ssl-ca={authority}", /CERT_HAS_EXPIRED.*renew it/],
    ["expired", "localhost", "ssl-mode=VERIFY_CA&ssl-ca={authority}", /CERT_HAS_EXPIRED.*renew it/],
    ["expired", "localhost", "ssl-mode=REQUIRED", /^tls$/],
    ["stranger", "localhost", "ssl-mode=VERIFY_IDENTITY&ssl-ca={authority}", /SELF_SIGNED.*signed by itself.*ssl-ca/],
    ["stranger", "localhost", "ssl-mode=VERIFY_IDENTITY", /SELF_SIGNED.*signed by itself.*ssl-ca/],
    ["stranger", "localhost", "ssl-mode=VERIFY_IDENTITY&ssl-ca={stranger}", /ALTNAME_INVALID.*other names/],
    ["stranger", "localhost", "ssl-mode=VERIFY_CA&ssl-ca={stranger}", /^tls$/],
    ["stranger", "localhost", "ssl-mode=REQUIRED", /^tls$/],
    ["own", "localhost", "ssl-mode=VERIFY_IDENTITY", /authority that signed.*ssl-ca/],
    ["own", "localhost", "ssl-mode=VERIFY_IDENTITY&ssl-ca={stranger}", /authority that signed.*ssl-ca/],
    ["own", "127.0.0.1", "ssl-mode=VERIFY_IDENTITY&ssl-ca={authority}", /ALTNAME_INVALID.*other names/],
  ];
  for (const [certificate, host, options, expected] of cases) {
    await useCertificate(certificate);
    await runOn(instance, "FLUSH SSL");
    const words = await saying(host, options);
    expect(words, `${certificate} at ${host} with ${options}`).toMatch(expected);
    if (words !== "tls") expect(words).toMatch(/^tls_failed /);
  }
  await useCertificate("own");
  await runOn(instance, "FLUSH SSL");
});

/** `tls`, or code, message and hint. */
async function saying(host: string, options: string): Promise<string> {
  const files = options.replace(/\{(\w+)\}/g, (_, name) => encodeURIComponent(join(folder, `${name}.pem`)));
  const url = new URL(instance.url("test"));
  Object.assign(url, { username: "secured", password: "c" });
  await using source = openSource(`${url.href.replace("127.0.0.1", host)}?${files}`);
  return await answerOf(source, "SELECT 1").then(
    () => "tls",
    ({ code, message, hint }) => `${code} ${message} ${hint}`,
  );
}

test("a statement is cancelled over TLS as well", async () => {
  await using source = openSource(`${instance.url("test")}?ssl-mode=REQUIRED`);
  await answerOf(source, "SELECT 1");
  const signal = AbortSignal.timeout(200);
  const endless = "SELECT COUNT(*) FROM seq_1_to_10000000 a, seq_1_to_10000000 b WHERE a.seq + b.seq > 0";
  await expect(answerOf(source, endless, [], { signal })).rejects.toMatchObject({ code: "cancelled" });
  expect((await answerOf(source, "SELECT 1")).rows).toEqual([["1"]]);
});
