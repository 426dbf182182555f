/** The Kubernetes manifests: what the API's schemas say of them, and that their parts fit each other and the gateway. */
import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { root } from "../house/sources.js";
import {
  at,
  imageEnvironment,
  listAt,
  namedTexts,
  ofKind,
  readKubernetes,
  readYaml,
  textAt,
  unknownVariables,
} from "./manifests.js";

const run = promisify(execFile);
const objects = await readKubernetes();
const deployment = ofKind(objects, "Deployment");
const pod = at(deployment, "spec", "template", "spec");
const container = at(pod, "containers", 0);
const podLabels = at(deployment, "spec", "template", "metadata", "labels");
const environment = { ...(await imageEnvironment()), ...namedTexts(listAt(container, "env")) };

const moduleOf = (object: unknown): string => `kubernetes-models/${textAt(object, "apiVersion")}`;

test.each(objects.map((object) => ({ kind: textAt(object, "kind"), object })))(
  "$kind fits the API's schema",
  async ({ kind, object }) => {
    const models: Record<string, new (fields: unknown) => { validate(): void }> = await import(moduleOf(object));
    const Model = models[kind];
    if (Model === undefined) throw new Error(`${moduleOf(object)} knows no ${kind}`);
    new Model(object).validate();
  },
);

/** The schemas let unknown keys pass, as the API server does by default; the types of a literal do not. */
async function typeErrors(of: readonly unknown[]): Promise<string> {
  const folder = await mkdtemp(join(root, "node_modules/.kubernetes-"));
  try {
    const lines = of.map((object, index) => {
      const type = `import("${moduleOf(object)}").I${textAt(object, "kind")}`;
      return `export const object${index}: ${type} = ${JSON.stringify(object)};`;
    });
    await writeFile(join(folder, "objects.ts"), lines.join("\n"));
    const options = ["--noEmit", "--ignoreConfig", "--strict", "--skipLibCheck", "--module", "nodenext"];
    return await run(join(root, "node_modules/.bin/tsc"), [...options, join(folder, "objects.ts")]).then(
      () => "",
      (error: { stdout: string }) => error.stdout,
    );
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

test("no object has a key that the API does not know", async () => {
  expect(await typeErrors(objects)).toBe("");
  const misspelt = JSON.parse(JSON.stringify(deployment).replace("livenessProbe", "livenesProbe"));
  expect(await typeErrors([misspelt])).toContain("livenesProbe");
});

test("every selector finds the pods, and scaling finds the Deployment", () => {
  for (const kind of ["Service", "PodDisruptionBudget", "NetworkPolicy"]) {
    const spec = at(ofKind(objects, kind), "spec");
    const selector =
      at(spec, "selector", "matchLabels") ?? at(spec, "podSelector", "matchLabels") ?? at(spec, "selector");
    expect([kind, selector]).toEqual([kind, podLabels]);
  }
  expect(at(deployment, "spec", "selector", "matchLabels")).toEqual(podLabels);
  const target = at(ofKind(objects, "HorizontalPodAutoscaler"), "spec", "scaleTargetRef");
  expect(target).toEqual({ apiVersion: "apps/v1", kind: "Deployment", name: textAt(deployment, "metadata", "name") });
  expect(at(deployment, "spec", "replicas")).toBeUndefined(); // each apply would undo the autoscaler
});

test("probes, Service and network policy name the port that is listened on", () => {
  const [port] = listAt(container, "ports");
  expect(String(at(port, "containerPort"))).toBe(environment.MCP_PORT);
  const name = textAt(port, "name");
  const probes = ["startupProbe", "livenessProbe", "readinessProbe"];
  expect(probes.map((probe) => at(container, probe, "httpGet"))).toEqual([
    { path: "/healthz", port: name },
    { path: "/healthz", port: name },
    { path: "/readyz", port: name },
  ]);
  expect(at(ofKind(objects, "Service"), "spec", "ports", 0, "targetPort")).toBe(name);
  expect(at(ofKind(objects, "NetworkPolicy"), "spec", "ingress", 0, "ports")).toEqual([{ port: name }]);
});

test("every variable is one that the gateway reads", () => {
  expect(unknownVariables({ ...environment, MCP_STOER: "" })).toEqual(["MCP_STOER"]);
});

test("every file it names is mounted, and every mounted Secret's key is in the form", async () => {
  const mounts = listAt(container, "volumeMounts").map((mount) => textAt(mount, "mountPath"));
  const files = Object.values(environment).filter((value) => /^\/(etc|run|var)\//.test(value));
  expect(files.length).toBeGreaterThan(4);
  expect(files.filter((file) => !mounts.some((mount) => file === mount || file.startsWith(`${mount}/`)))).toEqual([]);
  const volumes = listAt(pod, "volumes").map((volume) => textAt(volume, "name"));
  expect(listAt(container, "volumeMounts").map((mount) => textAt(mount, "name"))).toEqual(volumes);

  const secret = ofKind(objects, "Secret");
  const config = JSON.stringify(await readYaml("gateway.json"));
  const wanted = [...[...files, ...(config.match(/\/run\/secrets\/[\w.-]+/g) ?? [])]]
    .filter((file) => file.startsWith("/run/secrets/"))
    .map((file) => file.slice("/run/secrets/".length));
  expect(wanted.sort()).toEqual(Object.keys(at(secret, "stringData") ?? {}).sort());
  expect(at(pod, "volumes", 1, "secret", "secretName")).toBe(textAt(secret, "metadata", "name"));
});

test("the kustomization holds every object but the Secret, and the config as the pod mounts it", async () => {
  const kustomization = await readYaml("kustomization.yaml");
  expect(listAt(kustomization, "resources")).not.toContain("kubernetes/secret.yaml");
  expect(listAt(kustomization, "resources")).toHaveLength(4);
  expect(at(kustomization, "configMapGenerator", 0)).toEqual({ name: "mcp-gateway", files: ["gateway.json"] });
  expect(at(pod, "volumes", 0, "configMap", "name")).toBe("mcp-gateway");
});

test("it runs as nobody, writes nowhere but on its own volumes, and has time to drain", () => {
  expect(at(pod, "securityContext", "runAsNonRoot")).toBe(true);
  expect(at(container, "securityContext")).toEqual({
    allowPrivilegeEscalation: false,
    readOnlyRootFilesystem: true,
    capabilities: { drop: ["ALL"] },
  });
  expect(at(ofKind(objects, "Namespace"), "metadata", "labels", "pod-security.kubernetes.io/enforce")).toBe(
    "restricted",
  );
});
