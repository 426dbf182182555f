/** Replies that are plain text: held within the budget of bytes at a line's end, and saying so. */
import { cutBytes } from "./json-text.js";

const mark = "\n… (cut: the reply is full)";

/** The text, or as many of its lines as fit. */
export function cutToBytes(text: string, maxBytes: number): string {
  if (Buffer.byteLength(text) <= maxBytes) return text;
  const kept = cutBytes(text, maxBytes - Buffer.byteLength(mark));
  const lineEnd = kept.lastIndexOf("\n");
  return (lineEnd > 0 ? kept.slice(0, lineEnd) : kept) + mark;
}
