/** Which models there are to ask, in order, from the environment: names, address, key, prices. Loads no LangChain. */
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { promisify } from "node:util";
import type { Environment } from "../config-file.js";
import { AgentError } from "../errors.js";

/** What a million tokens cost, in whatever currency its owner counts. */
export interface Price {
  readonly input: number;
  readonly output: number;
}

/** A model by its name and where it is. */
export interface ModelChoice {
  /** As its server knows it; `provider:model` without an address. */
  readonly name: string;
  /** An OpenAI-compatible address, up to and with the version. */
  readonly url?: string | undefined;
  /** Its bearer token, or how to get it. */
  readonly key?: string | (() => Promise<string | undefined>) | undefined;
  readonly price?: Price | undefined;
  /** Attempts at most while it is busy or away, the first one counted. Default 3. */
  readonly attempts?: number | undefined;
  /** Wait before the second attempt, doubled each time. Default 500. */
  readonly backOffMs?: number | undefined;
  /** Silence after which it counts as gone. Default 120,000. */
  readonly silenceMs?: number | undefined;
}

const keyCommandTimeoutMs = 30_000;

/**
 * The models of `DB_AGENT_MODEL` and, for when that one fails, of the list `DB_AGENT_MODEL_FALLBACK`. A plain name is
 * asked for at `DB_AGENT_MODEL_URL`, with the key of `DB_AGENT_MODEL_KEY`, of the file `DB_AGENT_MODEL_KEY_FILE` names, or
 * of what `DB_AGENT_MODEL_KEY_COMMAND` prints. None where no model is set.
 * @throws AgentError `model_unset` for a name without an address, `config_invalid`
 */
export function chooseModels(environment: Environment): readonly ModelChoice[] {
  const { DB_AGENT_MODEL: first = "", DB_AGENT_MODEL_URL: url = "", DB_AGENT_MODEL_FALLBACK: more = "" } = environment;
  if (first === "") return [];
  const prices = parsePrices(environment.DB_AGENT_MODEL_PRICE ?? "", first);
  const names = [first, ...more.split(",").map((name) => name.trim())].filter((name) => name !== "");
  return names.map((name, index) => {
    const isProviders = /^[a-z]+:./.test(name) && (url === "" || index > 0);
    if (!isProviders && url === "") throw modelUnset();
    const price = prices.get(name);
    return {
      name,
      ...(isProviders ? {} : { url, key: () => keyOf(environment) }),
      ...(price === undefined ? {} : { price }),
    };
  });
}

/** Said where a model is needed and none is set. */
export const modelUnset = (): AgentError =>
  new AgentError("model_unset", "No model is configured.", {
    hint: "Set DB_AGENT_MODEL and DB_AGENT_MODEL_URL (any OpenAI-compatible address), or DB_AGENT_MODEL=openai:<model>.",
  });

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

/** `0.15/0.60` for the first model, or `name=0.15/0.60` for each, with commas. */
function parsePrices(text: string, first: string): ReadonlyMap<string, Price> {
  const prices = new Map<string, Price>();
  for (const entry of text.split(",").filter((part) => part.trim() !== "")) {
    const [, name = first, input = "", output = ""] =
      /^\s*(?:(.+)=)?(\d+(?:\.\d+)?)\/(\d+(?:\.\d+)?)\s*$/.exec(entry) ?? [];
    if (input === "") {
      throw new AgentError("config_invalid", "DB_AGENT_MODEL_PRICE is no price.", {
        hint: "Write what a million tokens cost in and out, such as 0.15/0.60, or name=0.15/0.60 with commas between.",
      });
    }
    prices.set(name.trim(), { input: Number(input), output: Number(output) });
  }
  return prices;
}
