/** For commands that answer a question: text for people, JSON for programs. */
import * as v from "valibot";
import { setting } from "./setting.js";

export const outputSetting = setting(v.picklist(["text", "json"]), {
  describe: "Text for people, or JSON for programs.",
  alias: "o",
  default: "text",
  file: false,
});
