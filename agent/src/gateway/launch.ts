/**
 * Starts a gateway of our own over stdio. Its configuration file names environment variables only; the URLs themselves
 * travel in the child's environment, so that no secret is ever in argv or on disk. Knows nothing of tools or SQL.
 */
import { rmSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { locateGateway } from "./locate.js";
import type { Databases } from "./sources.js";
import { StdioTransport } from "./stdio-transport.js";

/** What a database of ours may do. */
export type Mode = "read-only" | "approve" | "write";

/** A gateway we start: with databases by name, or with a configuration file of the user's. */
export type LaunchSpec =
  | { readonly databases: Databases; readonly mode?: Mode }
  | { readonly config: string }
  | {
      readonly command: string;
      readonly args?: readonly string[];
      readonly environment?: Readonly<Record<string, string>>;
    };

/** A running gateway by its address, or one that is started for us. */
export type GatewaySpec = { readonly url: string; readonly token?: string } | LaunchSpec;

/** A transport to a gateway that will be started with it, and what is to be removed after it. */
export interface Launched extends AsyncDisposable {
  readonly transport: StdioTransport;
}

/** Prepares the child and its configuration; the child starts with the transport. */
export async function launchGateway(spec: LaunchSpec, version: string): Promise<Launched> {
  if ("command" in spec) {
    return withoutFile({
      command: spec.command,
      args: spec.args ?? [],
      environment: { ...process.env, ...spec.environment },
    });
  }
  const { command, args } = locateGateway(version);
  if ("config" in spec) {
    return withoutFile({ command, args: [...args, "--stdio", "--config", spec.config], environment: process.env });
  }
  const folder = await mkdtemp(join(tmpdir(), "db-agent-")); // made with mode 0700
  const removeAtExit = (): void => rmSync(folder, { recursive: true, force: true });
  process.once("exit", removeAtExit); // a second Ctrl-C, or a reader that has had enough, ends us without a dispose
  const file = join(folder, "gateway.json");
  const names = Object.keys(spec.databases);
  const variable = (index: number): string => `DB_AGENT_DATABASE_${index + 1}`;
  const { mode } = spec;
  const references = Object.fromEntries(
    names.map((name, index) => {
      const url = `\${${variable(index)}}`;
      return [name, mode === undefined ? url : { url, settings: { mode } }];
    }),
  );
  await writeFile(file, JSON.stringify({ databases: references }), { mode: 0o600 });
  const urls = Object.fromEntries(names.map((name, index) => [variable(index), spec.databases[name]]));
  return {
    transport: new StdioTransport({
      command,
      args: [...args, "--stdio", "--config", file],
      environment: { ...process.env, ...urls },
    }),
    async [Symbol.asyncDispose]() {
      process.off("exit", removeAtExit);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

const withoutFile = (command: ConstructorParameters<typeof StdioTransport>[0]): Launched => ({
  transport: new StdioTransport(command),
  async [Symbol.asyncDispose]() {},
});
