/** The conformance suite's fixture as a process on stdio, to stand behind a gateway; `legacy` refuses the modern era. */
import { PassThrough } from "node:stream";
import { createLog, type Served, serve } from "../../mcp-core/src/host/index.js";
import { createConformanceFixture } from "./fixture.js";

const served: Served = await serve({
  name: "conformance",
  version: "1.0.0",
  factory: createConformanceFixture(() => served.notify),
  transport: "stdio",
  log: createLog({ name: "conformance", level: "silent", stream: new PassThrough() }),
  signal: new AbortController().signal,
});
await served.closed;
