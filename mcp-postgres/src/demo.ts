/** The sample shop on PostgreSQL: loaded into any database by COPY, or served by a private server for `--demo`. */
import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import {
  createShop,
  type RunningInstance,
  type SampleCell,
  sampleFingerprint,
  sampleTables,
  sampleViews,
  shopName,
} from "@database-interface/mcp-core/sample";
import type { CallOptions, DatabaseLog } from "@database-interface/mcp-core/sql";
import postgres from "postgres";
import { createTables, finishTables, quoted } from "./demo-schema.js";
import { startInstance } from "./instance.js";
import { findBinaries } from "./instance-binaries.js";

/** The demo's role: owns the shop, and nothing else. */
const shopUser = "shop";

/**
 * A private server with the sample shop.
 * @throws CodedError `demo_unavailable`, `cancelled`
 */
export async function startDemo({
  signal,
  log,
}: CallOptions & { readonly log: DatabaseLog }): Promise<AsyncDisposable & { readonly url: string }> {
  const binaries = await findBinaries({ signal, log });
  const instance = await startInstance({ binaries, content: { key: contentKey(), fill: createShopDatabase }, signal });
  log.debug("demo_started", { version: binaries.version, port: instance.port });
  return {
    url: instance.url(shopName, shopUser),
    [Symbol.asyncDispose]: () => instance[Symbol.asyncDispose](),
  };
}

/** Rows and DDL decide: a change of either makes a new template. */
function contentKey(): string {
  const ddl = JSON.stringify([createTables(sampleTables), finishTables(sampleTables, sampleViews)]);
  return `shop-${createHash("sha256").update(sampleFingerprint).update(ddl).digest("hex").slice(0, 16)}`;
}

/** Makes the shop the only database of the server: the initial one is renamed, which keeps the copies small. */
async function createShopDatabase(instance: RunningInstance): Promise<void> {
  const administrator = postgres(instance.url("template1"), { max: 1, onnotice: () => {} });
  try {
    await administrator.unsafe(`CREATE ROLE ${shopUser} LOGIN PASSWORD '${instance.password}'`);
    await administrator.unsafe(`ALTER DATABASE postgres RENAME TO ${shopName}`);
    await administrator.unsafe(`ALTER DATABASE ${shopName} OWNER TO ${shopUser}`);
  } finally {
    await administrator.end({ timeout: 5 });
  }
  await loadShop(instance.url(shopName, shopUser));
  const owner = postgres(instance.url(shopName), { max: 1, onnotice: () => {} });
  await owner.unsafe("VACUUM ANALYZE");
  await owner.end({ timeout: 5 });
}

/** Loads the shop into an empty database; a second or two. */
export async function loadShop(url: string): Promise<void> {
  const shop = createShop();
  const sql = postgres(url, { max: 1, onnotice: () => {} });
  try {
    await sql.begin(async (transaction) => {
      for (const statement of createTables(shop.tables)) await transaction.unsafe(statement);
      for (const { name } of shop.tables) {
        const lines = shop.rows(name).map((row) => `${row.map(copyText).join("\t")}\n`);
        const target = await transaction.unsafe(`COPY ${quoted(name)} FROM STDIN`).writable();
        await pipeline(Readable.from(chunked(lines, 500)), target);
      }
      for (const statement of finishTables(shop.tables, shop.views)) await transaction.unsafe(statement);
    });
    await sql.unsafe("ANALYZE");
  } finally {
    await sql.end({ timeout: 5 });
  }
}

function* chunked(lines: readonly string[], size: number): Generator<string> {
  for (let start = 0; start < lines.length; start += size) yield lines.slice(start, start + size).join("");
}

/** A value in COPY's text format. */
function copyText(cell: SampleCell): string {
  if (cell === null) return "\\N";
  return String(cell).replace(/[\\\t\n\r]/g, (character) => copyEscapes[character] ?? character);
}

const copyEscapes: Readonly<Record<string, string>> = { "\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r" };
