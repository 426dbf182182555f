/**
 * The model a setting names: any OpenAI-compatible server by the built-in client, or `provider:model` through that
 * provider's LangChain package where the user has installed it. LangChain is loaded only when a model is made.
 */
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import type { BaseChatModel } from "@langchain/core/language_models/chat_models";
import type { Environment } from "../config-file.js";
import { AgentError } from "../errors.js";

/** Providers by package and class; each package reads its own key from the environment. */
const providers: Readonly<Record<string, readonly [packageName: string, className: string]>> = {
  openai: ["@langchain/openai", "ChatOpenAI"],
  anthropic: ["@langchain/anthropic", "ChatAnthropic"],
  google: ["@langchain/google-genai", "ChatGoogleGenerativeAI"],
  mistral: ["@langchain/mistralai", "ChatMistralAI"],
  groq: ["@langchain/groq", "ChatGroq"],
  ollama: ["@langchain/ollama", "ChatOllama"],
};
const keyCommandTimeoutMs = 30_000;

/**
 * The model of `DB_AGENT_MODEL`. A plain name is asked for at `DB_AGENT_MODEL_URL`, with the key of
 * `DB_AGENT_MODEL_KEY`, of the file `DB_AGENT_MODEL_KEY_FILE` names, or of what `DB_AGENT_MODEL_KEY_COMMAND` prints.
 * @throws AgentError `model_unset`, `model_package_missing`, `config_unreadable`
 */
export async function createModel(environment: Environment, folder = process.cwd()): Promise<BaseChatModel> {
  const { DB_AGENT_MODEL: name = "", DB_AGENT_MODEL_URL: url = "" } = environment;
  const [, provider = "", model = ""] = /^([a-z]+):(.+)$/.exec(name) ?? [];
  if (name === "" || (url === "" && !(provider in providers))) throw unset();
  if (url === "") return fromPackage(provider, model, folder);
  const { OpenAiCompatibleModel } = await import("./chat-model.js");
  return new OpenAiCompatibleModel(name, { url, key: await keyOf(environment) });
}

/** A package of the working directory goes before one that came with us. */
async function fromPackage(provider: string, model: string, folder: string): Promise<BaseChatModel> {
  const [packageName, className] = providers[provider] ?? ["", ""];
  for (const from of [pathToFileURL(join(folder, "noop.js")), import.meta.url]) {
    const path = resolveFrom(from, packageName);
    if (path === undefined) continue;
    const loaded: Record<string, unknown> = await import(pathToFileURL(path).href);
    const Model = loaded[className];
    // LangChain's providers all construct from { model }
    if (typeof Model === "function")
      return new (Model as new (fields: object) => BaseChatModel)({ model, temperature: 0 });
  }
  throw new AgentError("model_package_missing", `${provider}: needs the package ${packageName}.`, {
    hint: `npm install ${packageName}, or set DB_AGENT_MODEL_URL to an OpenAI-compatible address.`,
  });
}

function resolveFrom(from: string | URL, packageName: string): string | undefined {
  try {
    return createRequire(from).resolve(packageName);
  } catch {
    return undefined;
  }
}

async function keyOf(environment: Environment): Promise<string | undefined> {
  const { DB_AGENT_MODEL_KEY_FILE: file = "", DB_AGENT_MODEL_KEY_COMMAND: command = "" } = environment;
  try {
    if (file !== "") return (await readFile(file, "utf8")).trim();
    if (command === "") return environment.DB_AGENT_MODEL_KEY || undefined;
    const { stdout } = await promisify(execFile)("/bin/sh", ["-c", command], { timeout: keyCommandTimeoutMs });
    return stdout.trim();
  } catch {
    // its cause may hold what the command printed
    throw new AgentError("config_unreadable", "The model's key cannot be read.", {
      hint: `Check ${file === "" ? "DB_AGENT_MODEL_KEY_COMMAND" : "DB_AGENT_MODEL_KEY_FILE"}.`,
    });
  }
}

const unset = (): AgentError =>
  new AgentError("model_unset", "No model is configured.", {
    hint: "Set DB_AGENT_MODEL and DB_AGENT_MODEL_URL (any OpenAI-compatible address), or DB_AGENT_MODEL=openai:<model>.",
  });
