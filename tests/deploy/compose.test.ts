/** The image and the Compose file: what their own linters say, and that what they name is there. */
import { access, readFile } from "node:fs/promises";
import { join } from "node:path";
import { DCLinter } from "dclint";
import { validate } from "dockerfile-utils";
import { expect, test } from "vitest";
import { root } from "../house/sources.js";
import {
  at,
  deployFolder,
  entriesAt,
  imageEnvironment,
  listAt,
  readDockerfile,
  readYaml,
  textAt,
  unknownVariables,
} from "./manifests.js";

const compose = await readYaml("compose.yaml");
const services = entriesAt(compose, "services");
const gateway = at(compose, "services", "gateway");
const image = await readDockerfile();
const folders: unknown = JSON.parse(await readFile(join(root, "package.json"), "utf8")).workspaces;

test("the Compose file fits its schema", () => {
  const linter = new DCLinter({ rules: {}, quiet: true, debug: false, exclude: [] });
  const [result] = linter.lintFiles([join(deployFolder, "compose.yaml")], false);
  if (result === undefined) throw new Error("the file was not found");
  expect(result.messages.filter((message: { type: string }) => message.type === "error")).toEqual([]);
});

test.each(["secrets", "configs", "networks", "volumes", "depends_on"])(
  "%s that a service names are declared",
  (kind) => {
    const declared = entriesAt(compose, kind === "depends_on" ? "services" : kind).map(([name]) => name);
    const named = services.flatMap(([, service]) => {
      const list = at(service, kind) ?? [];
      const names = Array.isArray(list) ? list : Object.keys(list);
      return names.map((one: unknown) => (typeof one === "string" ? one.replace(/:.*/, "") : textAt(one, "source")));
    });
    expect(named.length).toBeGreaterThan(0);
    expect([...new Set(named)].sort()).toEqual(kind === "depends_on" ? ["gateway", "redis"] : declared.sort());
  },
);

test("the gateway's variables and files are ones it reads, and the config's secrets are handed to it", async () => {
  const environment = { ...(await imageEnvironment()), ...Object.fromEntries(entriesAt(gateway, "environment")) };
  expect(unknownVariables(environment)).toEqual([]);
  expect(at(gateway, "configs", 0)).toEqual({ source: "gateway", target: environment.MCP_GATEWAY_CONFIG });
  await access(join(deployFolder, textAt(compose, "configs", "gateway", "file")));
  const config = await readFile(join(deployFolder, "gateway.json"), "utf8");
  const used = `${JSON.stringify(environment)}${config}`.match(/\/run\/secrets\/[\w.-]+/g) ?? [];
  const handed = listAt(gateway, "secrets").map((name) => `/run/secrets/${name}`);
  expect(used.sort()).toEqual(handed.sort());
});

test("containers write only where they must and gain no rights", () => {
  for (const [name, service] of services) {
    expect([name, at(service, "security_opt")]).toEqual([name, ["no-new-privileges:true"]]);
  }
  expect([at(gateway, "read_only"), at(gateway, "cap_drop")]).toEqual([true, ["ALL"]]);
  const ports = services.flatMap(([, service]) => (at(service, "ports") === undefined ? [] : listAt(service, "ports")));
  expect(ports).toEqual(["127.0.0.1:8730:8080"]); // only the proxy, and only on this machine
});

test("the image's file is sound, and packs what the repository has", () => {
  expect(validate(image.text)).toEqual([]);
  const packed = [...image.text.matchAll(/--workspace (\S+)/g)].map(([, folder]) => folder);
  expect(folders).toEqual(expect.arrayContaining(packed));
  expect(packed.sort()).toEqual(["mcp-gateway", "mcp-mysql", "mcp-postgres"]);
  expect(image.lines.filter((line) => line.startsWith("USER"))).toEqual(["USER node"]);
});
