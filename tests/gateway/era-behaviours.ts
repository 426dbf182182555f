/** What must pass between any client and any server, one behaviour a column: each throws when something got lost. */
import { expect } from "vitest";
import type { EraClient } from "./era-clients.js";
import { until } from "./gateways.js";

/** A fixture server behind the gateway. */
export interface Behind {
  /** Its name in the config, and the scheme of its resources. */
  readonly name: string;
  /** The lines it wrote to its journal. */
  journal(): Promise<readonly string[]>;
}

type Behaviour = (client: EraClient, behind: Behind) => Promise<void>;

async function question(client: EraClient, { name }: Behind, reply: EraClient["reply"]): Promise<void> {
  client.reply = reply;
  client.heard.questions.length = 0;
  const answer = JSON.parse(await client.call(`${name}__ask`, { what: "Who are you?" }));
  expect(answer).toMatchObject(reply);
  expect(client.heard.questions).toEqual(["Who are you?"]);
}

export const behaviours = {
  async call(client, { name }) {
    expect(await client.toolNames()).toContain(`${name}__echo`);
    expect(await client.call(`${name}__echo`, { text: "grüße 🎈" })).toBe("grüße 🎈");
  },
  async progress(client, { name }) {
    const steps: unknown[] = [];
    const onprogress = (told: { progress: number; message?: string | undefined }) =>
      steps.push(`${told.progress} ${told.message}`);
    expect(await client.call(`${name}__slow`, { ms: 400 }, { onprogress })).toBe("done");
    // clients drop what they read together with the result
    expect(steps.slice(0, 5)).toEqual([1, 2, 3, 4, 5].map((step) => `${step} step ${step}`));
  },
  async cancel(client, { name, journal }) {
    const count = async (line: string) => (await journal()).filter((one) => one === line).length;
    const [begun, cancelled] = [await count("slow begins"), await count("slow cancelled")];
    const abort = new AbortController();
    const call = client.call(`${name}__slow`, { ms: 20_000 }, { signal: abort.signal });
    const ended = expect(call).rejects.toThrow();
    await until(async () => (await count("slow begins")) === begun + 1);
    abort.abort();
    await ended;
    await until(async () => (await count("slow cancelled")) === cancelled + 1);
  },
  accept: (client, behind) => question(client, behind, { action: "accept", content: { name: "Ada" } }),
  decline: (client, behind) => question(client, behind, { action: "decline" }),
  async "list change"(client, { name }) {
    const before = client.heard.toolChanges.length;
    const grown = await client.call(`${name}__grow`, {});
    await until(() => client.heard.toolChanges.length > before);
    await until(async () => (await client.toolNames()).includes(`${name}__${grown}`));
    expect(await client.call(`${name}__${grown}`, {})).toBe(grown);
  },
  async "resource update"(client, { name }) {
    const uri = `${name}://notes/one`;
    const unsubscribe = await client.subscribe(uri);
    const before = client.heard.updates.length;
    await client.call(`${name}__touch`, {});
    await until(() => client.heard.updates.length > before);
    expect(client.heard.updates.at(-1)).toBe(uri);
    await unsubscribe();
  },
  async log(client, { name }) {
    const said = `hey ${name}`;
    await client.call(`${name}__shout`, { text: said }, { wantsLogs: true });
    await until(() => client.heard.logs.includes(said));
  },
  async template(client, { name }) {
    expect(await client.templates()).toContain(`${name}://notes/{name}`);
    expect(await client.read(`${name}://notes/alpha`)).toBe("note alpha");
  },
  async completion(client, { name }) {
    expect(await client.complete(`${name}://notes/{name}`, "name", "b")).toEqual(["beta"]);
  },
  async prompt(client, { name }) {
    expect(await client.prompt(`${name}__greet`, { who: "you" })).toBe("Hello you");
  },
} satisfies Record<string, Behaviour>;
