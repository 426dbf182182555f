/** Where runs are remembered by their reference id: in this process, until a sealed store is configured. */
import { type BaseCheckpointSaver, MemorySaver } from "@langchain/langgraph";

/** A store for checkpoints; one per agent. */
export const createCheckpointer = (): BaseCheckpointSaver => new MemorySaver();
