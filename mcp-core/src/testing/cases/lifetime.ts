/** Connecting, losing the connection, closing. */
import assert from "node:assert/strict";
import { CodedError } from "../../host/errors.js";
import { endlessRows, failureOf, openTarget, readAll, readOptions, until, untilSettled } from "../fixture.js";
import type { TargetCase } from "../target.js";

export const lifetimeCases: readonly TargetCase[] = [
  [
    "a check reports server, version, database, user and round trip",
    async (target) => {
      await using database = openTarget(target);
      const report = await database.check(readOptions());
      assert.ok(report.server !== "" && /\d/.test(report.version) && report.database !== "" && report.user !== "");
      assert.ok(report.roundTripMs > 0);
      assert.ok(Array.isArray(report.warnings));
    },
  ],
  [
    "opening never throws for a server that is not there; calls fail as connection_failed, in time",
    async ({ kind, unreachableUrl }) => {
      const options = { poolSize: 2, connectTimeoutMs: 2_000, log: { debug() {}, warn() {} } };
      await using database = kind.open(kind.parseSource(unreachableUrl, {}), options);
      const began = performance.now();
      assert.equal((await failureOf(database.check(readOptions()))).code, "connection_failed");
      assert.equal((await failureOf(readAll(database, "SELECT 1 AS n"))).code, "connection_failed");
      assert.ok(performance.now() - began < 10_000);
    },
  ],
  [
    "a URL that is none is url_invalid, and is not repeated",
    async ({ kind }) => {
      for (const url of [
        "nonsense",
        "gopher://user:hunter2@127.0.0.1/0",
        "://hunter2@",
        `${kind.exampleUrl}?no_such_option=hunter2`,
      ]) {
        const { code, error } = await failureOf((async () => kind.parseSource(url, {}))());
        assert.equal(code, "url_invalid", url);
        assert.ok(error instanceof CodedError && !`${error.message} ${error.hint}`.includes("hunter2"), url);
      }
    },
  ],
  [
    "a connection broken in the middle is connection_lost, worth a retry, and the retry works",
    async (target) => {
      await using database = openTarget(target);
      const marker = "conformance_broken";
      const sql = `SELECT count(*) AS ${marker} FROM ${endlessRows} WHERE a.id + b.id + c.id < 0`;
      const call = failureOf(readAll(database, sql));
      await untilSettled(target, marker);
      await target.disconnectAll();
      const { code, error } = await call;
      assert.equal(code, "connection_lost");
      assert.ok(error instanceof CodedError && error.retryable);
      await new Promise((resolve) => setTimeout(resolve, 200));
      assert.deepEqual((await readAll(database, "SELECT 1 AS n")).rows, [["1"]]);
    },
  ],
  [
    "connections broken while idle are replaced without anyone noticing",
    async (target) => {
      await using database = openTarget(target);
      await Promise.all([readAll(database, "SELECT 1 AS n"), readAll(database, "SELECT 2 AS n")]);
      await target.disconnectAll();
      await new Promise((resolve) => setTimeout(resolve, 200));
      assert.deepEqual((await readAll(database, "SELECT 1 AS n")).rows, [["1"]]);
    },
  ],
  [
    "closing twice is closing once, stops what runs and refuses what comes after",
    async (target) => {
      const database = openTarget(target);
      const marker = "conformance_closed";
      const sql = `SELECT count(*) AS ${marker} FROM ${endlessRows} WHERE a.id + b.id + c.id < 0`;
      const call = failureOf(readAll(database, sql));
      await untilSettled(target, marker);
      const began = performance.now();
      await Promise.all([database[Symbol.asyncDispose](), database[Symbol.asyncDispose]()]);
      await database[Symbol.asyncDispose]();
      assert.ok(performance.now() - began < 8_000);
      assert.ok((await call).error instanceof CodedError);
      await until(async () => (await target.running(marker)) === 0, 3_000, "the statement is gone");
      assert.ok((await failureOf(readAll(database, "SELECT 1 AS n"))).error instanceof CodedError);
    },
  ],
  [
    "closing a database that never connected is nothing",
    async (target) => {
      await openTarget(target)[Symbol.asyncDispose]();
    },
  ],
];
