/** The state of a session: whose it is, the last run of the workflow, and the conversation; one thread holds it all. */
import { StateSchema } from "@langchain/langgraph";
import { toStandardJsonSchema } from "@valibot/to-json-schema";
import * as v from "valibot";
import { conversationFields } from "./conversation-state.js";
import { workflowFields } from "./workflow-state.js";

/** The state of a session. */
export const sessionState = new StateSchema({
  /** When it was opened, and by whom; absent for one that began with a run. */
  createdAt: toStandardJsonSchema(v.optional(v.string())),
  owner: toStandardJsonSchema(v.optional(v.string())),
  ...workflowFields,
  ...conversationFields,
});

/** The state of a session. */
export type SessionState = typeof sessionState.State;
/** What a node may change of it. */
export type SessionUpdate = Partial<typeof sessionState.Update>;
