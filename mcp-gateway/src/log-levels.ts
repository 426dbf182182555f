/** The severities of log messages, as the protocol orders them. */
import type { Fields } from "./message.js";

const levels = ["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"];

/** Whether a message is at least as severe as wanted; undefined: all are. */
export const isSevereEnough = ({ level }: Fields, wanted: string | undefined): boolean =>
  wanted === undefined || levels.indexOf(String(level)) >= levels.indexOf(wanted);
