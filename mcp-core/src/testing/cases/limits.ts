/** Limits hold while a result streams, and what is stopped here stops on the server. */
import assert from "node:assert/strict";
import { endlessRows, failureOf, openTarget, readAll, readOptions, until, untilSettled } from "../fixture.js";
import type { TargetCase } from "../target.js";

export const limitCases: readonly TargetCase[] = [
  [
    "the server is asked for one row more than the limit, which proves that there are more",
    async (target) => {
      await using database = openTarget(target);
      for (const [maxRows, available, delivered] of [
        [5, 1_000, 6],
        [5, 5, 5],
        [1_000, 1_000, 1_000],
      ]) {
        let rows = 0;
        const sql = `SELECT id FROM conformance_rows WHERE id <= ${available} ORDER BY id`;
        const sink = { columns() {}, row: () => ++rows > 0 };
        await database.read({ sql, params: [] }, sink, readOptions({ maxRows: maxRows ?? 0 }));
        assert.equal(rows, delivered, `${available} rows under a limit of ${maxRows}`);
      }
    },
  ],
  [
    "a statement's own LIMIT and ORDER BY hold below the limit",
    async (target) => {
      await using database = openTarget(target);
      const { rows } = await readAll(database, "SELECT id FROM conformance_rows ORDER BY id DESC LIMIT 3");
      assert.deepEqual(rows, [["1000"], ["999"], ["998"]]);
    },
  ],
  [
    "when the sink has enough, the read resolves and the server stops",
    async (target) => {
      await using database = openTarget(target);
      const marker = "conformance_enough";
      let rows = 0;
      const sink = { columns() {}, row: () => ++rows < 10 };
      const sql = `SELECT a.id AS ${marker}, b.label FROM ${endlessRows}`;
      await database.read({ sql, params: [] }, sink, readOptions({ maxRows: 100_000_000, maxWireBytes: 2 ** 40 }));
      assert.equal(rows, 10);
      await until(async () => (await target.running(marker)) === 0, 2_000, "the statement is gone");
      assert.deepEqual((await readAll(database, "SELECT 1 AS n")).rows, [["1"]]);
    },
  ],
  [
    "a cancelled read fails as cancelled and is gone from the server within a second; the next one works",
    async (target) => {
      await using database = openTarget(target, { poolSize: 1 });
      const marker = "conformance_cancelled";
      const abort = new AbortController();
      const sql = `SELECT count(*) AS ${marker} FROM ${endlessRows} WHERE a.id + b.id + c.id < 0`;
      const call = failureOf(readAll(database, sql, [], { signal: abort.signal }));
      await untilSettled(target, marker);
      abort.abort();
      await until(async () => (await target.running(marker)) === 0, 1_000, "the statement is gone");
      assert.equal((await call).code, "cancelled");
      assert.deepEqual((await readAll(database, "SELECT 1 AS n")).rows, [["1"]]);
    },
  ],
  [
    "cancelling one read leaves the others alone",
    async (target) => {
      await using database = openTarget(target, { poolSize: 2 });
      const abort = new AbortController();
      const slow = `SELECT count(*) AS conformance_bystander FROM ${endlessRows} WHERE a.id + b.id + c.id < 0`;
      const call = failureOf(readAll(database, slow, [], { signal: abort.signal }));
      await untilSettled(target, "conformance_bystander");
      const other = readAll(database, "SELECT count(*) AS n FROM conformance_rows a, conformance_rows b");
      abort.abort();
      assert.deepEqual((await other).rows, [["1000000"]]);
      assert.equal((await call).code, "cancelled");
      for (let turn = 0; turn < 5; turn++) assert.deepEqual((await readAll(database, "SELECT 1 AS n")).rows, [["1"]]);
    },
  ],
  [
    "a read whose signal has fired already never starts",
    async (target) => {
      await using database = openTarget(target);
      const call = readAll(database, "SELECT 1 AS n", [], { signal: AbortSignal.abort() });
      assert.equal((await failureOf(call)).code, "cancelled");
    },
  ],
  [
    "a statement over its time fails as timeout, and is gone",
    async (target) => {
      await using database = openTarget(target, { poolSize: 1 });
      const marker = "conformance_slow";
      const sql = `SELECT count(*) AS ${marker} FROM ${endlessRows} WHERE a.id + b.id + c.id < 0`;
      const began = performance.now();
      assert.equal((await failureOf(readAll(database, sql, [], { timeoutMs: 300 }))).code, "timeout");
      assert.ok(performance.now() - began < 10_000);
      await until(async () => (await target.running(marker)) === 0, 2_000, "the statement is gone");
      assert.deepEqual((await readAll(database, "SELECT 1 AS n")).rows, [["1"]]);
    },
  ],
  [
    "a result with more bytes than the connection may bring is cut off, and the next read works",
    async (target) => {
      await using database = openTarget(target, { poolSize: 1 });
      const sql = "SELECT a.label, b.label FROM conformance_rows a, conformance_rows b";
      const call = readAll(database, sql, [], { maxWireBytes: 1_000_000, maxRows: 10_000_000 });
      assert.equal((await failureOf(call)).code, "result_too_large");
      assert.deepEqual((await readAll(database, "SELECT 1 AS n")).rows, [["1"]]);
    },
  ],
];
