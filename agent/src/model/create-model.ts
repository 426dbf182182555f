/**
 * The model a setting names: any OpenAI-compatible server by the built-in client, or `provider:model` through that
 * provider's LangChain package where the user has installed it. LangChain is loaded only when a model is made.
 */
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { BaseChatModel } from "@langchain/core/language_models/chat_models";
import type { Environment } from "../config-file.js";
import { AgentError } from "../errors.js";
import type { ModelChoice } from "./model-choice.js";
import { chooseModels, modelUnset } from "./model-choice.js";

/** Providers by package and class; each package reads its own key from the environment. */
const providers: Readonly<Record<string, readonly [packageName: string, className: string]>> = {
  openai: ["@langchain/openai", "ChatOpenAI"],
  anthropic: ["@langchain/anthropic", "ChatAnthropic"],
  google: ["@langchain/google-genai", "ChatGoogleGenerativeAI"],
  mistral: ["@langchain/mistralai", "ChatMistralAI"],
  groq: ["@langchain/groq", "ChatGroq"],
  ollama: ["@langchain/ollama", "ChatOllama"],
};

/**
 * The first model of the environment's settings.
 * @throws AgentError `model_unset`, `model_package_missing`, `config_invalid`, `config_unreadable`
 */
export async function createModel(environment: Environment, folder = process.cwd()): Promise<BaseChatModel> {
  const [first] = chooseModels(environment);
  if (first === undefined) throw modelUnset();
  return openModel(first, folder);
}

/**
 * The model of a choice: at its address where it has one, else by its provider's package.
 * @throws AgentError `model_unset`, `model_package_missing`, `config_unreadable`
 */
export async function openModel(choice: ModelChoice, folder = process.cwd()): Promise<BaseChatModel> {
  const { name, url = "", key, ...limits } = choice;
  if (url !== "") {
    const { OpenAiCompatibleModel } = await import("./chat-model.js");
    return new OpenAiCompatibleModel(name, { url, key: typeof key === "function" ? await key() : key, ...limits });
  }
  const [, provider = "", model = ""] = /^([a-z]+):(.+)$/.exec(name) ?? [];
  if (!(provider in providers)) throw modelUnset();
  return fromPackage(provider, model, folder);
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
