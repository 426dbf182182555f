/**
 * The tools, resources and prompts the official conformance suite asks for, in one factory for both eras. Their names,
 * texts and schemas are the suite's own; what is under test is everything around them: `serve` and its legs.
 */
import {
  acceptedContent,
  CLIENT_CAPABILITIES_META_KEY,
  createRequestStateCodec,
  inputRequired,
  inputResponse,
  McpServer,
  type McpServerFactory,
  ResourceTemplate,
  type ServerContext,
} from "@modelcontextprotocol/server";
import * as v from "valibot";
import { type Served, toMcpSchema } from "../../mcp-core/src/host/index.js";

const onePixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg==";
const silence = "UklGRiYAAABXQVZFZm10IBAAAAABAAEAQB8AAAB9AAACABAAZGF0YQIAAAA=";

const nothing = toMcpSchema(v.object({}));
const text = (value: string) => ({ type: "text" as const, text: value });
const answer = (value: string) => ({ content: [text(value)] });
const embedded = (uri: string, mimeType: string, value: string) => ({
  type: "resource" as const,
  resource: { uri, mimeType, text: value },
});
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** A form with one field of text. */
const form = (message: string, field: string) =>
  inputRequired.elicit({
    message,
    requestedSchema: { type: "object", properties: { [field]: { type: "string" } }, required: [field] },
  });
const confirmation = inputRequired.elicit({
  message: "Please confirm",
  requestedSchema: { type: "object", properties: { ok: { type: "boolean" } }, required: ["ok"] },
});
/** What the client of this request says it can do. */
function declaredCapabilities({ envelope }: ServerContext["mcpReq"]): Record<string, unknown> {
  const keys: Record<string, unknown> = envelope ?? {};
  const declared = keys[CLIENT_CAPABILITIES_META_KEY];
  return typeof declared === "object" && declared !== null ? { ...declared } : {};
}
const question = (words: string, maxTokens: number) =>
  inputRequired.createMessage({ messages: [{ role: "user", content: text(words) }], maxTokens });

interface State {
  readonly step: number;
  readonly name?: string;
}

const stateCodec = createRequestStateCodec<State>({ key: crypto.getRandomValues(new Uint8Array(32)) });

/** The suite's server; `notifier` gives what `serve` returned, once it did. */
export function createConformanceFixture(notifier: () => Served["notify"] | undefined): McpServerFactory {
  return () => {
    const server = new McpServer(
      { name: "conformance", version: "1.0.0" },
      {
        capabilities: {
          tools: { listChanged: true },
          resources: { subscribe: true, listChanged: true },
          prompts: { listChanged: true },
          logging: {},
          completions: {},
        },
        requestState: { verify: stateCodec.verify },
      },
    );
    addContentTools(server);
    addCallTools(server, notifier);
    addInputTools(server);
    addResources(server);
    addPrompts(server);
    server.server.setRequestHandler("completion/complete", () => ({
      completion: { values: [], total: 0, hasMore: false },
    }));
    return server;
  };
}

function addContentTools(server: McpServer): void {
  const contents = {
    test_simple_text: [text("This is a simple text response for testing.")],
    test_image_content: [{ type: "image" as const, data: onePixel, mimeType: "image/png" }],
    test_audio_content: [{ type: "audio" as const, data: silence, mimeType: "audio/wav" }],
    test_embedded_resource: [
      embedded("test://embedded-resource", "text/plain", "This is an embedded resource content."),
    ],
    test_multiple_content_types: [
      text("Multiple content types test:"),
      { type: "image" as const, data: onePixel, mimeType: "image/png" },
      embedded("test://mixed-content-resource", "application/json", '{"test":"data","value":123}'),
    ],
  };
  for (const [name, content] of Object.entries(contents)) {
    server.registerTool(name, { description: "Answers with fixed content.", inputSchema: nothing }, () => ({
      content: [...content],
    }));
  }
}

function addCallTools(server: McpServer, notifier: () => Served["notify"] | undefined): void {
  const add = (name: string, run: (context: ServerContext) => Promise<ReturnType<typeof answer>>) =>
    server.registerTool(name, { description: "Exercises a call.", inputSchema: nothing }, (_input, context) =>
      run(context),
    );

  const logSteps = async (context: ServerContext) => {
    for (const step of ["started", "processing data", "completed"]) {
      await context.mcpReq.log("info", `Tool execution ${step}`);
      await pause(20);
    }
    return answer("Tool with logging executed successfully");
  };
  add("test_tool_with_logging", logSteps);
  add("test_logging_tool", logSteps);
  add("test_tool_with_progress", async ({ mcpReq }) => {
    const progressToken = mcpReq._meta?.progressToken;
    for (const progress of [0, 50, 100]) {
      if (progressToken === undefined) break;
      await mcpReq.notify({ method: "notifications/progress", params: { progressToken, progress, total: 100 } });
      await pause(20);
    }
    return answer(String(progressToken));
  });
  add("test_error_handling", () => Promise.reject(new Error("This tool intentionally returns an error for testing")));
  add("test_trigger_tool_change", async () => {
    notifier()?.toolsChanged();
    return answer("changed");
  });
  add("test_trigger_prompt_change", async () => {
    notifier()?.promptsChanged();
    return answer("changed");
  });
  add("test_elicitation_sep1034_defaults", async ({ mcpReq }) => {
    const { action, content } = await mcpReq.elicitInput({
      message: "Please review and update the form fields with defaults",
      requestedSchema: {
        type: "object",
        properties: {
          name: { type: "string", description: "User name", default: "John Doe" },
          age: { type: "integer", description: "User age", default: 30 },
          score: { type: "number", description: "User score", default: 95.5 },
          status: {
            type: "string",
            description: "User status",
            enum: ["active", "inactive", "pending"],
            default: "active",
          },
          verified: { type: "boolean", description: "Verification status", default: true },
        },
        required: [],
      },
    });
    return answer(`Elicitation completed: action=${action}, content=${JSON.stringify(content ?? {})}`);
  });
  add("test_elicitation_sep1330_enums", async ({ mcpReq }) => {
    const options = ["option1", "option2", "option3"];
    const titled = ["First", "Second", "Third"].map((title, index) => ({
      const: `value${index + 1}`,
      title: `${title} Option`,
    }));
    const { action, content } = await mcpReq.elicitInput({
      message: "Please select options from the enum fields",
      requestedSchema: {
        type: "object",
        properties: {
          untitledSingle: { type: "string", enum: options },
          titledSingle: { type: "string", oneOf: titled },
          legacyEnum: {
            type: "string",
            enum: ["opt1", "opt2", "opt3"],
            enumNames: ["Option One", "Option Two", "Option Three"],
          },
          untitledMulti: { type: "array", minItems: 1, maxItems: 3, items: { type: "string", enum: options } },
          titledMulti: { type: "array", minItems: 1, maxItems: 3, items: { anyOf: titled } },
        },
        required: [],
      },
    });
    return answer(`Elicitation completed: action=${action}, content=${JSON.stringify(content ?? {})}`);
  });
  const sampled = toMcpSchema(v.object({ prompt: v.string() }));
  server.registerTool(
    "test_sampling",
    { description: "Asks the client's model.", inputSchema: sampled },
    async ({ prompt }, { mcpReq }) => {
      const { content } = await mcpReq.requestSampling({
        messages: [{ role: "user", content: text(prompt) }],
        maxTokens: 100,
      });
      return answer(`LLM response: ${"text" in content ? content.text : ""}`);
    },
  );
  const asked = toMcpSchema(v.object({ message: v.string() }));
  server.registerTool(
    "test_elicitation",
    { description: "Asks the user.", inputSchema: asked },
    async ({ message }, { mcpReq }) => {
      const { action, content } = await mcpReq.elicitInput({
        message,
        requestedSchema: {
          type: "object",
          properties: { response: { type: "string", description: "User's response" } },
          required: ["response"],
        },
      });
      return answer(`User response: action=${action}, content=${JSON.stringify(content ?? {})}`);
    },
  );
}

function addInputTools(server: McpServer): void {
  type Result = ReturnType<typeof answer> | ReturnType<typeof inputRequired>;
  const add = (name: string, run: (mcpReq: ServerContext["mcpReq"]) => Result | Promise<Result>) =>
    server.registerTool(name, { description: "Needs input.", inputSchema: nothing }, (_input, { mcpReq }) =>
      run(mcpReq),
    );
  const field = (mcpReq: ServerContext["mcpReq"], key: string, name: string): string | undefined => {
    const value = acceptedContent(mcpReq.inputResponses, key)?.[name];
    return typeof value === "string" ? value : undefined;
  };

  const askName = form("What is your name?", "name");
  const greet = (mcpReq: ServerContext["mcpReq"]) => {
    const name = field(mcpReq, "user_name", "name");
    return name === undefined ? inputRequired({ inputRequests: { user_name: askName } }) : answer(`Hello, ${name}!`);
  };
  add("test_input_required_result_elicitation", greet);
  add("test_streaming_elicitation", greet);
  // asking for what the client has not declared is refused by the SDK with -32021
  add("test_missing_capability", () => inputRequired({ inputRequests: { sample: question("Say something", 50) } }));
  add("test_input_required_result_sampling", ({ inputResponses }) => {
    const view = inputResponse(inputResponses, "capital_question");
    if (view.kind !== "sampling") {
      return inputRequired({ inputRequests: { capital_question: question("What is the capital of France?", 100) } });
    }
    return answer(JSON.stringify(view.result.content));
  });
  add("test_input_required_result_list_roots", ({ inputResponses }) => {
    const view = inputResponse(inputResponses, "client_roots");
    if (view.kind !== "roots") return inputRequired({ inputRequests: { client_roots: inputRequired.listRoots() } });
    return answer(`Roots: ${view.roots.map(({ uri }) => uri).join(", ")}`);
  });
  const confirm = async (mcpReq: ServerContext["mcpReq"]) => {
    if (mcpReq.requestState<State>()?.step === 1 && acceptedContent(mcpReq.inputResponses, "confirm")?.ok === true) {
      return answer("state-ok");
    }
    return inputRequired({
      inputRequests: { confirm: confirmation },
      requestState: await stateCodec.mint({ step: 1 }),
    });
  };
  add("test_input_required_result_request_state", confirm);
  add("test_input_required_result_tampered_state", confirm);
  add("test_input_required_result_multiple_inputs", async (mcpReq) => {
    const greeting = inputResponse(mcpReq.inputResponses, "greeting");
    const roots = inputResponse(mcpReq.inputResponses, "client_roots");
    const name = field(mcpReq, "user_name", "name");
    if (name !== undefined && greeting.kind === "sampling" && roots.kind === "roots" && mcpReq.requestState<State>()) {
      return answer(`${name}: ${JSON.stringify(greeting.result.content)}, ${roots.roots.length} roots`);
    }
    return inputRequired({
      inputRequests: {
        user_name: askName,
        greeting: question("Generate a greeting", 50),
        client_roots: inputRequired.listRoots(),
      },
      requestState: await stateCodec.mint({ step: 1 }),
    });
  });
  add("test_input_required_result_multi_round", async (mcpReq) => {
    const state = mcpReq.requestState<State>();
    const name = field(mcpReq, "step1", "name");
    const color = field(mcpReq, "step2", "color");
    if (state?.step === 2 && color !== undefined) return answer(`${state.name} likes ${color}`);
    if (state?.step === 1 && name !== undefined) {
      return inputRequired({
        inputRequests: { step2: form("Step 2: What is your favorite color?", "color") },
        requestState: await stateCodec.mint({ step: 2, name }),
      });
    }
    return inputRequired({
      inputRequests: { step1: form("Step 1: What is your name?", "name") },
      requestState: await stateCodec.mint({ step: 1 }),
    });
  });
  add("test_input_required_result_capabilities", (mcpReq) => {
    const declared = declaredCapabilities(mcpReq);
    const inputRequests = {
      ...(declared.sampling === undefined ? {} : { sample: question("Say something", 50) }),
      ...(declared.elicitation === undefined ? {} : { name: askName }),
      ...(declared.roots === undefined ? {} : { roots: inputRequired.listRoots() }),
    };
    return Object.keys(inputRequests).length === 0 ? answer("nothing to ask") : inputRequired({ inputRequests });
  });
}

function addResources(server: McpServer): void {
  const add = (name: string, uri: string, mimeType: string, content: { text: string } | { blob: string }) =>
    server.registerResource(name, uri, { description: "A fixed resource.", mimeType }, () => ({
      contents: [{ uri, mimeType, ...content }],
    }));
  add("static-text", "test://static-text", "text/plain", { text: "This is the content of the static text resource." });
  add("static-binary", "test://static-binary", "image/png", { blob: onePixel });
  add("watched-resource", "test://watched-resource", "text/plain", { text: "Watched resource content" });
  const template = new ResourceTemplate("test://template/{id}/data", { list: undefined });
  server.registerResource(
    "template",
    template,
    { description: "A template.", mimeType: "application/json" },
    (uri, { id }) => ({
      contents: [
        {
          uri: uri.href,
          mimeType: "application/json",
          text: JSON.stringify({ id, templateTest: true, data: `Data for ID: ${id}` }),
        },
      ],
    }),
  );
  server.server.setRequestHandler("resources/subscribe", () => ({}));
  server.server.setRequestHandler("resources/unsubscribe", () => ({}));
}

function addPrompts(server: McpServer): void {
  const user = <Content>(content: Content) => ({ role: "user" as const, content });
  server.registerPrompt("test_simple_prompt", { description: "Simple." }, () => ({
    messages: [user(text("This is a simple prompt for testing."))],
  }));
  const two = toMcpSchema(v.object({ arg1: v.string(), arg2: v.string() }));
  server.registerPrompt(
    "test_prompt_with_arguments",
    { description: "With arguments.", argsSchema: two },
    ({ arg1, arg2 }) => ({
      messages: [user(text(`Prompt with arguments: arg1='${arg1}', arg2='${arg2}'`))],
    }),
  );
  const one = toMcpSchema(v.object({ resourceUri: v.string() }));
  server.registerPrompt(
    "test_prompt_with_embedded_resource",
    { description: "With a resource.", argsSchema: one },
    ({ resourceUri }) => ({
      messages: [
        user(embedded(resourceUri, "text/plain", "Embedded resource content for testing.")),
        user(text("Please process the embedded resource above.")),
      ],
    }),
  );
  server.registerPrompt("test_prompt_with_image", { description: "With an image." }, () => ({
    messages: [
      user({ type: "image" as const, data: onePixel, mimeType: "image/png" }),
      user(text("Please analyze the image above.")),
    ],
  }));
  server.registerPrompt("test_input_required_result_prompt", { description: "Needs input." }, ({ mcpReq }) => {
    const context = acceptedContent(mcpReq.inputResponses, "user_context")?.context;
    if (typeof context !== "string") {
      return inputRequired({ inputRequests: { user_context: form("What context should the prompt use?", "context") } });
    }
    return { messages: [user(text(`Prompt with context: ${context}`))] };
  });
}
