/** `db-agent ask` and `answer` as processes: a scripted model on the real wire, real databases, every exit code. */
import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { createPostgresDatabase, type TestDatabase } from "../support/databases.js";
import { type ModelStub, startModelStub } from "../support/model-stub.js";
import { executable, type RunningServer, startHttpServer } from "../support/processes.js";
import { drafted, isDraft, textOf } from "./conversation.js";
import { eventually, openTerminal, runAgent, runsStatement, slowStatement, temporaryFolder } from "./support.js";

vi.setConfig({ testTimeout: 120_000 }); // several processes, each of which loads a graph

const folder = temporaryFolder();
let gateway: RunningServer;
let database: TestDatabase;
let stub: ModelStub;
let environment: Record<string, string>;

beforeAll(async () => {
  [database, stub] = await Promise.all([createPostgresDatabase(), startModelStub()]);
  const config = join(folder.path, "gateway.json");
  const settings = { mode: "approve" };
  writeFileSync(config, JSON.stringify({ databases: { stock: { url: database.url, settings } } }), { mode: 0o600 });
  gateway = await startHttpServer(executable("mcp-gateway"), ["--config", config, "--port", "0"]);
  environment = {
    DB_AGENT_MODEL: "stub",
    DB_AGENT_MODEL_URL: stub.url,
    DB_AGENT_MODEL_PRICE: "1/2",
    DB_AGENT_STORE: `file:${join(folder.path, "sessions")}`,
    DB_AGENT_KNOWLEDGE: join(folder.path, "knowledge"),
    XDG_STATE_HOME: folder.path,
    MCP_KEYS: `k1:${randomBytes(32).toString("base64")}`,
    MCP_GATEWAY_URL: gateway.url,
  };
});
afterAll(async () => {
  await gateway?.[Symbol.asyncDispose]();
  await stub?.[Symbol.asyncDispose]();
  await database?.[Symbol.asyncDispose]();
  folder[Symbol.dispose]();
});
beforeEach(async () => {
  await database.run("DROP TABLE IF EXISTS stock; CREATE TABLE stock (id int PRIMARY KEY, name text, quantity int)");
  await database.run("INSERT INTO stock VALUES (1, 'nut', 10), (2, 'bolt', 20), (3, 'screw', 30)");
});
afterEach(() => expect(stub.unused()).toEqual([]));

const ask = (...args: string[]) => runAgent(["ask", ...args], { environment });
const answer = (...args: string[]) => runAgent(["answer", ...args], { environment });
const stock = async () => (await database.run("SELECT quantity FROM stock ORDER BY id")).map((row) => row.quantity);
const sessionIn = (text: string): string => /Session (\S+)/.exec(text)?.[1] ?? "";

describe("a question", () => {
  const count = drafted("SELECT count(*) AS n FROM stock", "ASSUMPTION: everything in stock counts");

  test("shows its statement, rows, words and caveats on stdout, tokens and cost on stderr", async () => {
    stub.answer(count, { text: ["There are ", "3."] });
    const { code, stdout, stderr } = await ask("How many are there?");
    expect(stdout.replace(/\d+ ms/, "0 ms")).toBe(
      "SELECT count(*) AS n FROM stock\n n\n───\n 3\n(1 row, 0 ms)\nThere are 3.\n! everything in stock counts\n",
    );
    expect(stderr).toMatch(/^200 tokens in, 40 out, cost 0\.000280\nSession \S+\n$/);
    expect(code).toBe(0);
  });

  test("as JSON is one document, as JSON lines its events", async () => {
    stub.answer(count, { text: "3." }, count, { text: "3." });
    const whole = await ask("How many are there?", "-o", "json", "-q");
    expect(JSON.parse(whole.stdout)).toMatchObject({ status: "answered", text: "3.", result: { rows: [[3]] } });
    expect(whole.stderr).toBe("");
    const lines = (await ask("How many are there?", "-o", "jsonl", "-q")).stdout.trimEnd().split("\n");
    expect(lines.map((line) => JSON.parse(line).type)).toEqual(["usage", "sql", "rows", "token", "usage", "done"]);
  });

  test("of the same session knows what was said before, in another process", async () => {
    stub.answer(count, { text: "There are 3." });
    const session = sessionIn((await ask("How many are there?")).stderr);
    stub.answer(drafted("SELECT sum(quantity) AS pieces FROM stock"), { text: "60 pieces." });
    const { stdout, code } = await ask("And pieces?", "--session", session);
    expect({ code, last: stdout.trimEnd().split("\n").at(-1) }).toEqual({ code: 0, last: "60 pieces." });
    expect(textOf(stub.requests.filter(isDraft).at(-1))).toContain("There are 3.");
  });

  test("from stdin; what a model says cannot move the cursor", async () => {
    stub.answer({ text: "CANNOT: \u001b[2Jno" });
    const { code, stdout } = await runAgent(["ask", "-"], { environment, input: "Why?\n" });
    expect({ code, stdout }).toEqual({ code: 0, stdout: "\\u001b[2Jno\n" });
  });

  test("no draft answers fails with 1, and says what was wrong last", async () => {
    stub.answer(...["a", "b", "c"].map((column) => drafted(`SELECT ${column} FROM stock`)));
    const { code, stderr } = await ask("What?");
    expect(code).toBe(1);
    expect(stderr).toContain("[question_unanswered]");
    expect(stderr).toContain('Column "c"');
  });

  test.each([
    ["without a model", { DB_AGENT_MODEL: "" }, ["How many?"], 2, "Set DB_AGENT_MODEL and DB_AGENT_MODEL_URL"],
    ["that is empty", {}, [" "], 2, "There is no question."],
    ["in a session nobody has", {}, ["How many?", "--session", "nobodys"], 1, "[session_unknown]"],
    [
      "with a mode for somebody else's gateway",
      {},
      ["x?", "--mode", "write", "--gateway", "http://127.0.0.1:1"],
      2,
      "--mode",
    ],
  ])("%s says what to do", async (_, changed, args, code, message) => {
    const ended = await runAgent(["ask", ...args], { environment: { ...environment, ...changed } });
    expect(ended.stderr).toContain(message);
    expect({ code: ended.code, stdout: ended.stdout }).toEqual({ code, stdout: "" });
  });

  test("Ctrl-C ends with 130 while the model thinks, and while its statement runs", async () => {
    stub.answer({ silent: true });
    const sent = stub.requests.length;
    const thinking = await runAgent(["ask", "Hm?"], {
      environment,
      async whileRunning(pid) {
        await eventually(() => stub.requests.length > sent, "the model to be asked");
        process.kill(pid, "SIGINT");
      },
    });
    expect(thinking.code).toBe(130);
    const mark = `ask_${process.pid}`;
    stub.answer(drafted(slowStatement(mark)));
    const running = await runAgent(["ask", "Hm?"], {
      environment,
      async whileRunning(pid) {
        await eventually(() => runsStatement(database, mark), "the statement to run");
        process.kill(pid, "SIGINT");
      },
    });
    expect(running.code).toBe(130);
    await eventually(async () => !(await runsStatement(database, mark)), "the statement to stop");
  });
});

describe("what a human has to decide", () => {
  const update = drafted("UPDATE stock SET quantity = 0 WHERE id = 1");
  const propose = async (): Promise<string> => {
    stub.answer(update);
    const { code, stderr } = await ask("Set nuts to zero");
    expect(code).toBe(3);
    expect(stderr).toContain("db-agent answer");
    return sessionIn(stderr);
  };

  test("waits with exit code 3, and runs once another process allows it; the second time is too late", async () => {
    const session = await propose();
    expect(await stock()).toEqual([10, 20, 30]);
    const allowed = await answer(session, "approve");
    expect(allowed.code).toBe(0);
    expect(allowed.stdout).toContain("Done: 1 row.");
    expect(await stock()).toEqual([0, 20, 30]);
    const again = await answer(session, "approve");
    expect(again.code).toBe(1);
    expect(again.stderr).toContain("[approval_unknown]");
  });

  test.each([
    ["reject", ["reject", "not today"], 0, [10, 20, 30]],
    ["edit", ["edit", "UPDATE stock SET quantity = 5 WHERE id = 1"], 0, [5, 20, 30]],
  ])("%s", async (_, args, code, quantities) => {
    const session = await propose();
    expect((await answer(session, ...args)).code).toBe(code);
    expect(await stock()).toEqual(quantities);
  });

  test("an answer that does not fit runs nothing and says why", async () => {
    const session = await propose();
    const answers: [string[], number, string][] = [
      [["edit"], 2, "edit needs the statement"],
      [["reply", "well"], 1, "[approval_mismatch]"],
      [["approve", "--approval", "nothing"], 1, "[approval_unknown]"],
    ];
    for (const [args, code, message] of answers) {
      const ended = await answer(session, ...args);
      expect({ code: ended.code, stderr: ended.stderr }).toEqual({ code, stderr: expect.stringContaining(message) });
    }
    expect(await stock()).toEqual([10, 20, 30]);
  });

  test("a reply in words goes on with the question", async () => {
    stub.answer({ text: "CLARIFY: pieces or kinds? | pieces | kinds" });
    const session = sessionIn((await ask("How many?")).stderr);
    stub.answer(drafted("SELECT count(*) AS kinds FROM stock"), { text: "3 kinds." });
    const { code, stdout } = await answer(session, "reply", "kinds");
    expect({ code, words: stdout.includes("3 kinds.") }).toEqual({ code: 0, words: true });
  });

  test("two at once on one session: the second is told that it is busy", async () => {
    stub.answer({ text: "CANNOT: no" });
    const session = sessionIn((await ask("Once?")).stderr);
    stub.answer({ silent: true });
    const sent = stub.requests.length;
    const first = await runAgent(["ask", "Twice?", "--session", session], {
      environment,
      async whileRunning(pid) {
        await eventually(() => stub.requests.length > sent, "the first to run");
        const second = await ask("Thrice?", "--session", session);
        expect({ code: second.code, busy: second.stderr.includes("[session_busy]") }).toEqual({ code: 1, busy: true });
        process.kill(pid, "SIGINT");
      },
    });
    expect(first.code).toBe(130);
  });
});

describe("on a terminal", () => {
  const open = (args: string[], options = {}) => openTerminal(args, { environment: { ...environment, ...options } });

  test("ask shows a write with its dry run, and takes approve, edit or reject", async () => {
    stub.answer(drafted("UPDATE stock SET quantity = 0"));
    await using terminal = await open(["ask", "Empty the stock"]);
    const shown = await terminal.shows("[a]pprove, [e]dit, [r]eject?");
    expect(shown).toMatch(/UPDATE stock SET quantity = 0\s+dry run: update \S*stock, 3 rows\s+! [^\n]+\s+before/);
    await terminal.enter("");
    await terminal.enter("maybe");
    await terminal.enter("a");
    await terminal.shows("Done: 3 rows.");
    await terminal.shows("exit=0");
    expect(await stock()).toEqual([0, 0, 0]);
  });

  test("an edited statement runs instead, after one more yes", async () => {
    stub.answer(drafted("UPDATE stock SET quantity = 0"));
    await using terminal = await open(["ask", "Empty it"], {
      EDITOR: "sed -i 's/= 0/= 7 WHERE id = 2/'",
    });
    await terminal.shows("[r]eject?");
    await terminal.enter("e");
    await terminal.shows("Run this instead?");
    await terminal.enter("y");
    await terminal.shows("exit=0");
    expect(await stock()).toEqual([10, 7, 30]);
  });

  test("a question asked back is answered by number, in twenty columns too", async () => {
    stub.answer({ text: "CLARIFY: pieces or kinds? | pieces | kinds" });
    stub.answer(drafted("SELECT sum(quantity) AS pieces FROM stock"), { text: "60 pieces." });
    await using terminal = await openTerminal(["ask", "How many?"], { environment, columns: 20 });
    await terminal.shows("kinds");
    await terminal.enter("1");
    await terminal.shows("60 pieces.");
    expect(textOf(stub.requests.filter(isDraft).at(-1))).toContain("pieces or kinds? pieces");
  });

  test("at the prompt: words, a rejected and an approved write, and the session goes on in a second process", async () => {
    stub.answer(drafted("SELECT name FROM stock WHERE quantity > 15"), { text: "Bolts and screws." });
    let session = "";
    {
      await using terminal = await open(["--mode", "approve", `stock=${database.url}`], { MCP_GATEWAY_URL: "" });
      await terminal.shows("=> ");
      await terminal.enter("which are more than fifteen");
      await terminal.shows("Bolts and screws.");
      await terminal.enter("DELETE FROM stock WHERE id = 1;");
      await terminal.shows("[r]eject?");
      await terminal.enter("r");
      await terminal.enter("no");
      await terminal.shows("They say: no");
      expect(await stock()).toEqual([10, 20, 30]);
      await terminal.enter("UPDATE stock SET quantity = 11 WHERE id = 1;");
      await terminal.shows(/11[\s\S]*\[r\]eject\?/);
      await terminal.press("C-c");
      await terminal.shows("\\pending asks again");
      await terminal.enter("\\session");
      session = sessionIn(await terminal.shows(/Session \S+/));
      await terminal.enter("\\q");
      await terminal.shows("exit=0");
    }
    await using second = await open(["--session", session]);
    await second.shows("[r]eject?");
    await second.enter("a");
    await second.shows("Done: 1 row.");
    expect(await stock()).toEqual([11, 20, 30]);
  });
});
