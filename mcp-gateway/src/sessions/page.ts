/**
 * The page on which a user enters a database's password: plain HTML without a script, nothing loaded from anywhere, every
 * word of it ours or escaped. It says whose session it is for, so that nobody gives a password to somebody else's.
 */
import { createHash } from "node:crypto";
import type { Ticket } from "./tickets.js";

const style = `body{font:16px/1.5 system-ui,sans-serif;max-width:34rem;margin:3rem auto;padding:0 1rem;color:#1b1f24;background:#fff}
h1{font-size:1.3rem}dl{display:grid;grid-template-columns:max-content 1fr;gap:.2rem 1rem}dt{color:#57606a}dd{margin:0;overflow-wrap:anywhere}
label{display:block;margin:1.2rem 0 .3rem}input{font:inherit;width:100%;box-sizing:border-box;padding:.5rem}
button{font:inherit;margin-top:1rem;padding:.5rem 1.2rem}[role=alert]{border-left:4px solid #cf222e;padding:.2rem .8rem;background:#fff5f5}
@media(prefers-color-scheme:dark){body{color:#e6edf3;background:#0d1117}dt{color:#8d96a0}[role=alert]{background:#2d1618}}`;

const styleHash = createHash("sha256").update(style).digest("base64");

/** The page with its form; `problem`: why the last try failed, in sentences. */
export function formPage({ principal, input, expiresAt }: Ticket, problem?: string): Response {
  const rows = [
    ["Database", `${input.database} on ${input.host}, port ${input.port}`],
    ["User", input.user],
    ["Name", `${input.name}, of the template ${input.template}`],
    ["For", principal === "local" ? "programs of this machine" : principal],
  ] as const;
  const list = rows.map(([term, words]) => `<dt>${term}</dt><dd>${escapeHtml(words)}</dd>`).join("");
  const alert = problem === undefined ? "" : `<p role="alert">${escapeHtml(problem)}</p>`;
  const time = new Date(expiresAt).toISOString().replace(/\.\d+Z$/, "Z");
  return page(
    problem === undefined ? 200 : 422,
    "Connect a database",
    `<dl>${list}</dl>${alert}<form method="post" autocomplete="off">
<label for="password">Password of ${escapeHtml(input.user)}</label>
<input id="password" name="password" type="password" maxlength="1024" autocomplete="off" autofocus>
<button type="submit">Connect</button></form>
<p>Go on only if you asked for this connection yourself. The gateway seals the password and gives it to the database's
own server process; no model and no log sees it. This page works until ${time}.</p>`,
  );
}

/** A page that only says something. */
export const wordPage = (status: number, title: string, words: string): Response =>
  page(status, title, `<p>${escapeHtml(words)}</p>`);

function page(status: number, title: string, body: string): Response {
  const html = `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>${title}</title>
<meta name="viewport" content="width=device-width"><meta name="robots" content="noindex"><style>${style}</style></head>
<body><h1>${title}</h1>${body}</body></html>`;
  return new Response(html, { status, headers: pageHeaders });
}

const pageHeaders = {
  "content-type": "text/html; charset=utf-8",
  "cache-control": "no-store",
  "content-security-policy": `default-src 'none'; style-src 'sha256-${styleHash}'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'`,
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  // the address is the secret: it goes to no other origin, and our own check of the form's origin still works
  "referrer-policy": "same-origin",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
};

const escapeHtml = (text: string): string => text.replace(/[&<>"']/g, (character) => `&#${character.codePointAt(0)};`);
