/** Finds an executable by name: in the folders of PATH, or where Debian packages were unpacked. */
import { accessSync, constants } from "node:fs";
import { join } from "node:path";

/**
 * @param {readonly string[]} names any of these will do, in this order
 * @param {string} [root] where packages were unpacked; PATH (and /usr/sbin) when absent
 * @returns {string}
 */
export function findProgram(names, root) {
  const folders =
    root === undefined
      ? [...(process.env.PATH ?? "").split(":"), "/usr/sbin"]
      : [join(root, "usr/bin"), join(root, "usr/sbin")];
  for (const folder of folders) {
    for (const name of names) {
      try {
        accessSync(join(folder, name), constants.X_OK);
        return join(folder, name);
      } catch {
        // Not here.
      }
    }
  }
  throw new Error(`${names[0]} is not in PATH.`);
}
