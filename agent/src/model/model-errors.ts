/** What a model's failure means, whoever's package it came through: our own coded errors, without prompt, body or key. */
import { AgentError, isAbort } from "../errors.js";

/** The error of an HTTP status. The body is not quoted: it may repeat the prompt, or part of a key. */
export function toStatusError(status: number): AgentError {
  if (status === 401 || status === 403) {
    return new AgentError("model_unauthorized", `The model's server refuses the key (HTTP ${status}).`, {
      hint: "Set DB_AGENT_MODEL_KEY or DB_AGENT_MODEL_KEY_FILE, or the variable its own package reads.",
    });
  }
  if (status === 408 || status === 429 || status >= 500) {
    return new AgentError("model_busy", `The model's server cannot answer now (HTTP ${status}).`, {
      hint: "Try again later, or name another model in DB_AGENT_MODEL_FALLBACK.",
      retryable: true,
    });
  }
  return new AgentError("model_refused", `The model's server refuses the request (HTTP ${status}).`, {
    hint:
      status === 404 ? "Check the model's name and its URL, which ends in /v1 as a rule." : "Check the model's name.",
  });
}

/** Any failure of a model. */
export function toModelError(error: unknown): AgentError {
  if (error instanceof AgentError) return error;
  if (isAbort(error)) return new AgentError("cancelled", "Cancelled; the model was told to stop.");
  const status = typeof error === "object" && error !== null && "status" in error ? Number(error.status) : Number.NaN;
  if (Number.isFinite(status)) return toStatusError(status);
  // a package's own message may quote the prompt
  return new AgentError("model_unreachable", "The model gave no answer that can be used.", {
    hint: "Is its server running at the address it is configured with?",
    retryable: true,
    cause: error,
  });
}
