/**
 * How many attacks of the corpora each layer of the fence stops by itself, both engines, as administrator and as an
 * ordinary user: the public ones, or those whose ids LAYERS_ONLY is in. A row counts that has an effect with nothing in
 * its way; it is stopped when it has none.
 */
import { appendFileSync } from "node:fs";
import { expect, test } from "vitest";
import { type CorpusRow, corpusRows } from "../../tests/safety/corpus.js";
import { type Engine, effectOf, type LayerName, layerNames, type Outcome } from "./engine.js";
import { openMysqlEngine } from "./mysql.js";
import { openPostgresEngine } from "./postgres.js";

const engines = [
  { corpora: ["attacks.pg.jsonl"], openEngine: openPostgresEngine },
  { corpora: ["attacks.mysql.jsonl"], openEngine: openMysqlEngine },
];
const only = process.env.LAYERS_ONLY;
const as = process.env.LAYERS_AS;

test.each(engines)("$corpora", async ({ corpora, openEngine }) => {
  await using engine = await openEngine();
  const rows = (await Promise.all(corpora.map(corpusRows))).flat();
  const isChosen = (id: string) => (only === undefined ? !id.includes("-own-") : id.includes(only));
  const chosen = rows.filter(({ id }) => isChosen(id));
  // What may be seen is a matter of settings, which are absent here.
  const attacks = chosen.filter(({ policy }) => policy === undefined);
  print(`\n${engine.name}: ${attacks.length} of ${chosen.length} rows, the others need a rule about what may be seen`);
  for (const who of [engine.administrator, "ordinary user"].filter((one) => as === undefined || one.startsWith(as))) {
    const user = who === "ordinary user" ? engine.place.user : "";
    const bare = await run(engine, "nothing", user, attacks);
    const harmful = attacks.filter(({ id }) => bare.get(id)?.effect !== undefined);
    print(`as ${who}: ${harmful.length} have an effect with nothing in their way`);
    for (const layer of [...layerNames.slice(1), "all"] as const) {
      const outcomes = await run(engine, layer, user, attacks);
      const passed = attacks.filter(({ id }) => outcomes.get(id)?.effect !== undefined);
      const stopped = harmful.filter(({ id }) => outcomes.get(id)?.effect === undefined);
      const refused = attacks.filter(({ id }) => outcomes.get(id)?.isRefused);
      const own = passed.filter((row) => !harmful.includes(row));
      const notes = [
        ...(refused.length > 0 ? [`${refused.length} rows never sent`] : []),
        ...(own.length > 0 ? [`an effect only with it: ${own.map(({ id }) => id)}`] : []),
        ...(passed.length < 16 ? [`passed: ${passed.map(({ id }) => `${id} (${outcomes.get(id)?.effect})`)}`] : []),
      ];
      print(`  ${layer}: ${stopped.length} of ${harmful.length} stopped; ${notes.join("; ")}`);
      if (layer === "all") expect(passed.filter(({ oracle }) => oracle !== "rss")).toEqual([]);
    }
  }
});

async function run(engine: Engine, layer: LayerName, user: string, attacks: readonly CorpusRow[]) {
  const outcomes = new Map<string, Outcome>();
  for (const row of attacks) {
    const outcome = await effectOf(engine, layer, user, row);
    outcomes.set(row.id, outcome);
    if (process.env.LAYERS_LOG !== undefined) {
      const line = [
        new Date().toISOString(),
        layer,
        user === "" ? "administrator" : "user",
        row.id,
        outcome.effect ?? "-",
      ];
      appendFileSync(process.env.LAYERS_LOG, `${line.join(" ")}${outcome.isRefused ? " refused" : ""}\n`);
    }
  }
  return outcomes;
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
