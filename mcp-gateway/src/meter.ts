/**
 * Counts and times for Prometheus, named after the OpenTelemetry conventions for MCP. It writes the text format itself:
 * three kinds of series need no library. It sees methods, servers and codes, never a name a client made up.
 */

/** Seconds; upper bounds of the histogram. */
const buckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300];

const methods = new Set([
  "tools/list", "tools/call", "prompts/list", "prompts/get", "resources/list", "resources/templates/list", "resources/read",
  "resources/subscribe", "resources/unsubscribe", "completion/complete",
]); // biome-ignore format: one list

/** Where calls are counted. */
export interface Meter {
  /** A client's request; `end` takes its outcome, `ok` or an error's code. */
  begin(method: string): { end(outcome: string): void };
  /** A server's work on a request, until disposed. */
  serve(server: string, method: string): Disposable;
  /** A database server that remembers results said so of one. */
  recall(outcome: RecallOutcome): void;
  /** A call of a database, by a source of the config or `session:<template>`; `end` as for {@link begin}. */
  query(source: string): { end(outcome: string): void };
  /** The text of `/metrics`; `gauges` are the states of the moment. */
  render(gauges: readonly Gauge[]): string;
}

/** From memory, from the database, or so because the call asked for it. */
export const recallOutcomes = ["hit", "miss", "bypass"] as const;
export type RecallOutcome = (typeof recallOutcomes)[number];

/** A value of the moment. */
export interface Gauge {
  readonly name: string;
  readonly help: string;
  readonly type: "gauge" | "counter";
  readonly samples: readonly { readonly labels: Readonly<Record<string, string>>; readonly value: number }[];
}

interface Histogram {
  readonly labels: Readonly<Record<string, string>>;
  readonly counts: number[];
  sum: number;
  count: number;
}

export function createMeter(): Meter {
  const requests = new Map<string, Histogram>();
  const served = new Map<string, Histogram>();
  const recalled = { hit: 0, miss: 0, bypass: 0 };
  const queries = new Map<string, Histogram>();
  /** Counts what ends, under labels and, where it failed, its code. */
  const timed = (series: Map<string, Histogram>, labels: Readonly<Record<string, string>>) => {
    const began = performance.now();
    return {
      end: (outcome: string) =>
        observe(series, { ...labels, ...(outcome === "ok" ? {} : { error_type: outcome }) }, began),
    };
  };
  const known = (method: string): string => (methods.has(method) ? method : "other");
  return {
    begin: (method) => timed(requests, { mcp_method_name: known(method) }),
    query: (source) => timed(queries, { source }),
    serve(server, method) {
      const began = performance.now();
      return { [Symbol.dispose]: () => observe(served, { server, mcp_method_name: known(method) }, began) };
    },
    recall(outcome) {
      recalled[outcome]++;
    },
    render: (gauges) =>
      [
        ...renderHistogram(
          "mcp_server_operation_duration_seconds",
          "Requests of clients, by method and, where they failed, why.",
          requests,
        ),
        ...renderHistogram(
          "mcp_client_operation_duration_seconds",
          "Requests to servers, by server and method.",
          served,
        ),
        ...renderGauge({
          name: "mcp_gateway_query_cache_total",
          help: "Results of query on sources that remember them, by where they came from.",
          type: "counter",
          samples: recallOutcomes.map((outcome) => ({ labels: { outcome }, value: recalled[outcome] })),
        }),
        ...renderHistogram(
          "mcp_gateway_query_duration_seconds",
          "Calls of databases, waiting included, by source and, where they failed, why.",
          queries,
        ),
        ...gauges.flatMap(renderGauge),
        "",
      ].join("\n"),
  };
}

function observe(series: Map<string, Histogram>, labels: Readonly<Record<string, string>>, began: number): void {
  const seconds = (performance.now() - began) / 1_000;
  const key = JSON.stringify(labels);
  const one = series.get(key) ?? { labels, counts: buckets.map(() => 0), sum: 0, count: 0 };
  series.set(key, one);
  for (const [index, bound] of buckets.entries())
    if (seconds <= bound) one.counts[index] = (one.counts[index] ?? 0) + 1;
  one.sum += seconds;
  one.count++;
}

function renderHistogram(name: string, help: string, series: ReadonlyMap<string, Histogram>): string[] {
  const lines = [`# HELP ${name} ${help}`, `# TYPE ${name} histogram`];
  for (const { labels, counts, sum, count } of series.values()) {
    for (const [index, bound] of buckets.entries())
      lines.push(`${name}_bucket${renderLabels({ ...labels, le: String(bound) })} ${counts[index]}`);
    lines.push(`${name}_bucket${renderLabels({ ...labels, le: "+Inf" })} ${count}`);
    lines.push(`${name}_sum${renderLabels(labels)} ${sum.toFixed(6)}`, `${name}_count${renderLabels(labels)} ${count}`);
  }
  return lines;
}

function renderGauge({ name, help, type, samples }: Gauge): string[] {
  return [
    `# HELP ${name} ${help}`,
    `# TYPE ${name} ${type}`,
    ...samples.map(({ labels, value }) => `${name}${renderLabels(labels)} ${value}`),
  ];
}

function renderLabels(labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels).map(
    ([name, value]) => `${name}="${value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n")}"`,
  );
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}
