/** `db-agent completion`. */
import { AgentError } from "../errors.js";
import { defineCommand } from "./definition.js";

const shells = ["bash", "zsh", "fish"] as const;

export const completionCommand = defineCommand({
  words: "completion [shell]",
  describe: "Print a completion script for bash, zsh or fish",
  positionals: { shell: { choices: shells, describe: "By default that of $SHELL" } },
  examples: [
    ["source <(db-agent completion bash)", "in ~/.bashrc; zsh the same in ~/.zshrc"],
    ["db-agent completion fish | source", "in ~/.config/fish/config.fish"],
  ],
  choose({ shell: given }) {
    return async (io) => {
      const own = (io.environment.SHELL ?? "").split("/").at(-1);
      const shell = given ?? shells.find((name) => name === own);
      if (shell === undefined) {
        throw new AgentError("usage", "Which shell?", { hint: `It may be ${shells.join(", ")}.` });
      }
      const { completionScript } = await import("../faces/completion/scripts.js");
      io.stdout.write(completionScript(shell));
      return 0;
    };
  },
});
