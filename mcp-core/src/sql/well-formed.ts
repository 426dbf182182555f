/** Whether texts are whole: half a surrogate pair would reach a server as another character than the caller wrote. */
import { CodedError } from "../host/errors.js";
import type { Parameter } from "./database.js";

/** Half a surrogate pair somewhere. */
export const isBroken = (text: string): boolean => /\p{Surrogate}/u.test(text);

/** @throws CodedError `parameter_invalid` for a value that holds a broken character, however deep */
export function assertWhole(params: readonly Parameter[]): void {
  params.forEach((param, index) => {
    const open: unknown[] = [param];
    while (open.length > 0) {
      const value = open.pop();
      if (typeof value === "string" && isBroken(value)) {
        throw new CodedError("parameter_invalid", `Parameter ${index + 1} has a broken character.`, {
          hint: "Half of a surrogate pair is no character: send the whole text.",
        });
      }
      if (typeof value === "object" && value !== null) open.push(...Object.keys(value), ...Object.values(value));
    }
  });
}
