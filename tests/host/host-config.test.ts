/** The lines to paste, per host: pinned, as people paste them unread. */
import { expect, test } from "vitest";
import { hostConfig, hostNames } from "../../mcp-core/src/host/index.js";

const server = {
  name: "shop",
  command: "npx",
  args: ["-y", "@scope/server", 'postgres://me@host/"db"', "C:\\path"],
  // biome-ignore lint/suspicious/noTemplateCurlyInString: as pasted
  env: { PGPASSWORD: "${PGPASSWORD}" },
};

test.each(hostNames)("%s", (host) => {
  expect(hostConfig({ host, ...server })).toMatchSnapshot();
});

test.each(hostNames)("%s without an environment has no empty one", (host) => {
  expect(hostConfig({ host, ...server, env: {} })).not.toMatch(/env/);
});
