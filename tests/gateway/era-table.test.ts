/**
 * Nothing is lost between any client and any server: both eras on either side, every way in, every way to the server. The
 * table is printed; what the protocol does not have stands in it with the reason.
 */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Era } from "../../mcp-gateway/src/handshake.js";
import { executable, type RunningServer, startHttpServer } from "../support/processes.js";
import { type Behind, behaviours } from "./era-behaviours.js";
import { type EraClient, eraClients, type WayIn } from "./era-clients.js";
import { fixtureServer, journalOf, startGateway, temporaryFolder } from "./gateways.js";

type Transport = "stdio" | "http" | "sse";
const transports = ["stdio", "http", "sse"] as const;
const eras = ["legacy", "modern"] as const;

/** The protocol of 2026-07-28 knows stdio and Streamable HTTP; HTTP with SSE ended with 2024-11-05. */
const exists = (era: Era, transport: Transport): boolean => era === "legacy" || transport !== "sse";
const noSuchTransport = "the protocol has no SSE transport in the modern era";

const kinds = eras.flatMap((era) => transports.map((transport) => ({ era, transport })));
const servers = kinds.filter(({ era, transport }) => exists(era, transport));
const fronts = Object.entries(eraClients).flatMap(([client, { era }]) =>
  transports.map((transport) => ({ client, era, transport })),
);

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
const remote = new Map<string, RunningServer>();
const nameOf = ({ era, transport }: { era: Era; transport: Transport }) => `${era}-${transport}`;
const journalPath = (name: string) => join(folder.path, name);

beforeAll(async () => {
  folder = await temporaryFolder();
  await Promise.all(
    servers.map(async (server) => {
      const name = nameOf(server);
      await writeFile(journalPath(name), "");
      if (server.transport === "stdio") return;
      const [file = ""] = fixtureServer(`${server.era}-server`).args;
      const environment = { LISTEN: "yes", SCHEME: name, JOURNAL: journalPath(name) };
      remote.set(name, await startHttpServer(file, [], environment));
    }),
  );
});

afterAll(async () => {
  await Promise.all([...remote.values()].map((server) => server[Symbol.asyncDispose]()));
  await folder[Symbol.asyncDispose]();
  console.info(toTable());
});

const config = () => ({
  mcpServers: Object.fromEntries(
    servers.map((server) => {
      const name = nameOf(server);
      const env = { SCHEME: name, JOURNAL: journalPath(name) };
      const url = `${remote.get(name)?.url}/${server.transport === "sse" ? "sse" : "mcp"}`;
      return [
        name,
        server.transport === "stdio" ? fixtureServer(`${server.era}-server`, { env }) : { type: server.transport, url },
      ];
    }),
  ),
});

/** A gateway for this client alone. */
async function openWayIn(transport: Transport): Promise<AsyncDisposable & { readonly way: WayIn }> {
  if (transport !== "stdio") {
    const gateway = await startGateway(config);
    return { way: { transport, url: gateway.url }, [Symbol.asyncDispose]: () => gateway[Symbol.asyncDispose]() };
  }
  const own = await temporaryFolder();
  const path = join(own.path, "gateway.json");
  await writeFile(path, JSON.stringify(config()));
  const args = [executable("mcp-gateway"), "--config", path, "--cache-dir", join(own.path, "cache"), "--stdio"];
  const env = { PATH: process.env.PATH ?? "", HOME: own.path };
  return { way: { transport, args, env }, [Symbol.asyncDispose]: () => own[Symbol.asyncDispose]() };
}

/** By front and server, then by behaviour: what went wrong, or nothing. */
const found = new Map<string, Record<string, string | undefined>>();
const keyOf = (front: (typeof fronts)[number], server: (typeof servers)[number]) =>
  `${front.client} ${front.transport} ${nameOf(server)}`;

async function examine(client: EraClient, behind: Behind): Promise<Record<string, string | undefined>> {
  const outcomes: Record<string, string | undefined> = {};
  for (const [behaviour, check] of Object.entries(behaviours)) {
    outcomes[behaviour] = await check(client, behind).then(
      () => undefined,
      (error: unknown) => String(error instanceof Error ? error.message : error),
    );
  }
  return outcomes;
}

test.each(fronts.filter(({ era, transport }) => exists(era, transport)))(
  "$client over $transport: everything passes from and to every server",
  { timeout: 120_000 },
  async (front) => {
    await using opened = await openWayIn(front.transport);
    await using client = await eraClients[front.client as keyof typeof eraClients].connect(opened.way); // a key of it
    for (const server of servers) {
      const name = nameOf(server);
      const outcomes = await examine(client, { name, journal: () => journalOf(journalPath(name)) });
      found.set(keyOf(front, server), outcomes);
    }
    const lost = servers.flatMap((server) =>
      Object.entries(found.get(keyOf(front, server)) ?? {}).flatMap(([behaviour, reason]) =>
        reason === undefined ? [] : [`${nameOf(server)}, ${behaviour}: ${reason}`],
      ),
    );
    expect(lost).toEqual([]);
  },
);

function toTable(): string {
  const columns = Object.keys(behaviours);
  const rows = fronts.flatMap((front) =>
    kinds.map((server) => {
      const about = [front.client, front.era, front.transport, server.era, server.transport];
      if (!exists(front.era, front.transport) || !exists(server.era, server.transport))
        return [...about, `cannot be: ${noSuchTransport}`];
      const outcomes = found.get(keyOf(front, server));
      const mark = (column: string): string =>
        outcomes === undefined ? "not run" : outcomes[column] === undefined ? "yes" : "LOST";
      return [...about, ...columns.map(mark)];
    }),
  );
  const all = [["client", "its era", "way in", "server's era", "way to it", ...columns], ...rows];
  const widths = (all[0] ?? []).map((_, column) =>
    Math.max(...all.filter((row) => row.length > 6).map((row) => row[column]?.length ?? 0)),
  );
  return all
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join(" | ")
        .trimEnd(),
    )
    .join("\n");
}
