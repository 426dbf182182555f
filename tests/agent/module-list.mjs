/** Loaded with --import: appends the URL of every module the process resolves to the file in MODULE_LIST. */
import { register } from "node:module";

register(
  `data:text/javascript,${encodeURIComponent(`
    import { appendFileSync } from "node:fs";
    export async function resolve(specifier, context, next) {
      const found = await next(specifier, context);
      appendFileSync(process.env.MODULE_LIST, found.url + "\\n");
      return found;
    }`)}`,
);
