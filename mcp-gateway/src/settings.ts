/** What the gateway can be told besides its servers, each as one schema from which flag, variable, file key and help derive. */
import {
  auditSettings,
  durationSchema,
  outputSetting,
  printConfigSetting,
  servingSettings,
  setting,
  tokenSetting,
  wholeSchema,
} from "@database-interface/mcp-core/host";
import * as v from "valibot";
import { sessionSettings } from "./sessions/session-settings.js";
import { metricsAccesses } from "./sight.js";

export const configSetting = {
  config: setting(v.optional(v.string()), {
    describe: "The gateway's JSON file: databases, mcpServers (or servers), settings.",
    placeholder: "file",
    env: ["MCP_GATEWAY_CONFIG"],
    file: false,
  }),
};

/** Where a gateway is reached, for the commands that ask one. */
export const addressSettings = {
  url: setting(v.optional(v.pipe(v.string(), v.url("must be a URL"))), {
    describe: "The running gateway. Default http://127.0.0.1:8730.",
    placeholder: "url",
    env: ["MCP_GATEWAY_URL"],
    file: false,
  }),
  token: tokenSetting,
  output: outputSetting,
};

export const gatewaySettings = {
  ...configSetting,
  stdio: setting(v.optional(v.boolean()), {
    describe: "Serves the one client that started it, over stdio.",
    file: false,
    group: "Serving",
  }),
  ...servingSettings({ port: 8730 }),
  metricsAccess: setting(v.picklist(metricsAccesses), {
    describe: "Who may read /metrics: public, or whoever has a token with this role. Without tokens it is open.",
    env: ["MCP_METRICS_ACCESS"],
    default: "use",
    group: "Serving",
  }),
  idleTimeout: setting(durationSchema(), {
    describe: "Time without a call after which a server is stopped; 0 for never.",
    env: ["MCP_IDLE_TIMEOUT"],
    placeholder: "duration",
    default: "5m",
    group: "Servers",
  }),
  startTimeout: setting(durationSchema({ min: 1 }), {
    describe: "Time a server may take to start.",
    env: ["MCP_START_TIMEOUT"],
    placeholder: "duration",
    default: "30s",
    group: "Servers",
  }),
  maxCalls: setting(wholeSchema({ min: 1, max: 10_000 }), {
    describe: "Calls in progress per server at most; more wait.",
    env: ["MCP_MAX_CALLS"],
    default: 32,
    group: "Servers",
  }),
  maxCallsPerClient: setting(v.optional(wholeSchema({ min: 1, max: 10_000 })), {
    describe: "Of these, calls of one client at most. Default: as many as in all, clients taking turns.",
    env: ["MCP_MAX_CALLS_PER_CLIENT"],
    group: "Servers",
  }),
  maxQueue: setting(wholeSchema({ min: 0, max: 100_000 }), {
    describe: "Calls waiting per server at most; more are told that it is busy.",
    env: ["MCP_MAX_QUEUE"],
    default: 1_000,
    group: "Servers",
  }),
  discoveryTimeout: setting(durationSchema(), {
    describe: "Time after the start that lists wait for servers never seen before.",
    env: ["MCP_DISCOVERY_TIMEOUT"],
    placeholder: "duration",
    default: "10s",
    group: "Servers",
  }),
  cacheDir: setting(v.optional(v.string()), {
    describe: "Where servers' lists are remembered. Default: in the user's cache folder.",
    env: ["MCP_CACHE_DIR"],
    placeholder: "folder",
    group: "Servers",
  }),
  ...sessionSettings,
  ...auditSettings,
  printConfig: printConfigSetting,
};
