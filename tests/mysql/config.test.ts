/** What URLs and environments mean, and what is refused without repeating it. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { type MysqlConfig, parseSource, sourceFromEnvironment } from "../../mcp-mysql/src/config.js";

const shown = ({ password, ...config }: MysqlConfig) => ({ ...config, password: password?.() });

describe("a URL is read as its parts", () => {
  test.each<[string, object]>([
    ["mysql://u:p@h/d", { user: "u", password: "p", database: "d", endpoints: [{ host: "h", port: 3306 }] }],
    ["mariadb://u@h:3307/d", { user: "u", password: undefined, endpoints: [{ host: "h", port: 3307 }] }],
    ["MySQL://u@h/", { database: "" }],
    ["mysql://u%40x:p%3A%2F%23%3F%25@h/d%20b", { user: "u@x", password: "p:/#?%", database: "d b" }],
    ["mysql://u:a@b@h/d", { user: "u", password: "a@b", endpoints: [{ host: "h", port: 3306 }] }],
    ["mysql://u:@h/d", { password: "" }],
    ["mysql://u@[::1]:3308/d", { endpoints: [{ host: "::1", port: 3308 }], label: "u@[::1]:3308/d" }],
    [
      "mysql://u@a:1,b,[::2]:3/d",
      {
        endpoints: [
          { host: "a", port: 1 },
          { host: "b", port: 3306 },
          { host: "::2", port: 3 },
        ],
      },
    ],
    [
      "mysql://u@a,b:1/d?hostaddr=192.0.2.1,::1",
      {
        endpoints: [
          { host: "a", port: 3306, address: "192.0.2.1" },
          { host: "b", port: 1, address: "::1" },
        ],
      },
    ],
    ["mysql://u@%2Frun%2Fmysqld.sock/d", { endpoints: [{ socketPath: "/run/mysqld.sock" }] }],
    ["mysql://u@localhost/d?socket=/run/m.sock", { endpoints: [{ socketPath: "/run/m.sock" }] }],
    ["mysql://u@h/d?ssl-mode=verify_identity&ssl-ca=/ca.pem", { tls: { mode: "VERIFY_IDENTITY", ca: "/ca.pem" } }],
    ["mysql://u@h/d?sslmode=require", { tls: { mode: "REQUIRED" } }],
    ["mysql://u@h/d?sslmode=verify-full", { tls: { mode: "VERIFY_IDENTITY" } }],
    ["mysql://u@h/d?ssl_mode=DISABLED", { tls: { mode: "DISABLED" } }],
    ["mysql://u@h/d", { tls: { mode: "PREFERRED" } }],
    ["mysql://u@h/d?ssl-ca=/ca.pem", { tls: { mode: "VERIFY_CA", ca: "/ca.pem" } }],
    ["mysql://u@h/d?ssl-cert=/c.pem&ssl-key=/k.pem", { tls: { certificate: "/c.pem", key: "/k.pem" } }],
    ["mysql://u@h/d?connect-timeout=7&charset=utf8mb4", { connectTimeoutMs: 7_000 }],
  ])("%s", (url, expected) => {
    expect(shown(parseSource(url, {}))).toMatchObject(expected);
  });
});

describe("a URL that means something else is refused, and not repeated", () => {
  test.each<[string, RegExp]>([
    ["postgres://u:s3cret@h/d", /mysql:\/\//],
    ["h:3306/d", /mysql:\/\//],
    ["mysql://u:s3cret@h:0/d", /port/],
    ["mysql://u:s3cret@h:65536/d", /port/],
    ["mysql://u:s3cret@h:33o6/d", /port/],
    ["mysql://u:s3cret@::1/d", /brackets|port/],
    ["mysql://u:s3cret%@h/d", /%/],
    ["mysql://u:s3cret%00@h/d", /NUL/],
    ["mysql://u:s3#cret@h/d", /#/],
    ["mysql://u:s3/cret@h/d", /database name|port|host/],
    ["mysql://u:s3cret@h/d?hostaddr=s3cret", /hostaddr/],
    ["mysql://u:s3cret@a,b/d?hostaddr=192.0.2.1", /hostaddr/],
    ["mysql://u:s3cret@h/d?multipleStatements=true", /multiplestatements.*one statement/],
    ["mysql://u:s3cret@h/d?permitLocalInfile=true", /permitlocalinfile.*files/],
    ["mysql://u:s3cret@h/d?allowMultiQueries=1", /one statement/],
    ["mysql://u:s3cret@h/d?initSql=SET", /initsql/],
    ["mysql://u:s3cret@h/d?sessionVariables={}", /sessionvariables/],
    ["mysql://u:s3cret@h/d?debug=true", /debug/],
    ["mysql://u:s3cret@h/d?charset=gbk", /charset/],
    ["mysql://u:s3cret@h/d?ssl-mode=maybe", /ssl-mode/],
    ["mysql://u:s3cret@h/d?ssl-cert=/c.pem", /ssl-key/],
    ["mysql://u:s3cret@h/d?connect-timeout=soon", /connect-timeout/],
  ])("%s", (url, reason) => {
    try {
      parseSource(url, {});
    } catch (thrown) {
      const { code, message, hint } = Object(thrown);
      expect(code).toBe("url_invalid");
      expect(`${message} ${hint}`).toMatch(reason);
      expect(`${message} ${hint}`).not.toContain("s3");
      return;
    }
    throw new Error("it was accepted");
  });
});

describe("the environment fills what the URL leaves out", () => {
  test.each<[string, Record<string, string>, object]>([
    [
      "mysql://",
      { MYSQL_HOST: "e", MYSQL_TCP_PORT: "44", MYSQL_USER: "u", MYSQL_PWD: "p", MYSQL_DATABASE: "d" },
      { endpoints: [{ host: "e", port: 44 }], user: "u", password: "p", database: "d" },
    ],
    [
      "mysql://h/x",
      { MYSQL_HOST: "e", MYSQL_TCP_PORT: "44", MYSQL_DATABASE: "d" },
      { endpoints: [{ host: "h", port: 3306 }], database: "x" },
    ],
    ["mysql://h/x", { MYSQL_UNIX_PORT: "/s" }, { endpoints: [{ host: "h", port: 3306 }] }],
    ["mysql:///x", { MYSQL_UNIX_PORT: "/s" }, { endpoints: [{ socketPath: "/s" }] }],
    [
      "mysql://u@h/x",
      { MYSQL_PASSWORD: "q", MYSQL_SSL_MODE: "REQUIRED" },
      { password: "q", tls: { mode: "REQUIRED" } },
    ],
  ])("%s with %j", (url, environment, expected) => {
    expect(shown(parseSource(url, environment))).toMatchObject(expected);
  });

  test("a source comes from DATABASE_URL where its scheme is ours, from MYSQL_* else, or not at all", () => {
    expect(sourceFromEnvironment({})).toBeUndefined();
    expect(sourceFromEnvironment({ MYSQL_PWD: "p" })).toBeUndefined();
    expect(sourceFromEnvironment({ DATABASE_URL: "postgres://h/d" })).toBeUndefined();
    expect(sourceFromEnvironment({ DATABASE_URL: "mysql://h/d" })?.database).toBe("d");
    expect(sourceFromEnvironment({ MYSQL_HOST: "h" })?.endpoints).toEqual([{ host: "h", port: 3306 }]);
  });

  test("secrets come from files, and a missing file says so without its path", () => {
    const folder = mkdtempSync(join(tmpdir(), "mysql-config-"));
    writeFileSync(join(folder, "pw"), "from file\n");
    const config = parseSource("mysql://u@h/d", { MYSQL_PASSWORD_FILE: join(folder, "pw") });
    rmSync(folder, { recursive: true });
    expect(config.password?.()).toBe("from file");
    expect(JSON.stringify(config)).not.toContain("from file");
    expect(() => parseSource("mysql://u@h/d", { MYSQL_PWD_FILE: "/no/such/place" })).toThrow(/MYSQL_PWD_FILE/);
  });
});
