/** The fixture as a command of its own, to be started and stopped as a process. It says when it ends by itself. */
import * as v from "valibot";
import { createLog, runCommand, type Served, serve, setting } from "../../mcp-core/src/host/index.js";
import { createFixture, createWitness } from "./fixture.js";

// not emitted when the process has to be ended
process.on("beforeExit", () => process.stderr.write("ended by itself\n"));

const code = await runCommand({
  name: "child",
  version: "1.2.3",
  summary: "The fixture.",
  settings: {
    transport: setting(v.picklist(["stdio", "http"]), { describe: "Transport.", default: "stdio" }),
    port: setting(v.number(), { describe: "Port.", default: 0 }),
    drain: setting(v.number(), { describe: "Milliseconds calls in progress get.", default: 200 }),
  },
  examples: [],
  async run({ values, io }) {
    if (values.transport === "stdio") console.log("printed by a library:", new Error("no postgres://ada:canary@h/d"));
    let served: Served | undefined;
    served = await serve({
      name: "child",
      version: "1.2.3",
      factory: createFixture(createWitness(), () => served),
      transport: values.transport,
      http: { host: "127.0.0.1", port: values.port, drainMs: values.drain },
      log: createLog({ name: "child" }),
      signal: io.signal,
    });
    if (values.transport === "stdio") console.table([{ printed: "while it serves" }]);
    await served.closed;
    return 0;
  },
});
process.exitCode = code;
