/**
 * The last guard against orphans: a tiny shell that outlives us by a second. It holds a pipe from this process; when the
 * pipe ends, however we died, it kills every process group we had told it of. Needs no root. Windows has no process
 * groups: there the servers end with their stdin (not run here).
 */
import { type ChildProcess, spawn } from "node:child_process";

const script = `
trap '' INT TERM HUP
groups=' '
while read -r op id; do
  case "$op" in
    +) groups="$groups$id " ;;
    -) groups="\${groups%% $id *} \${groups#* $id }" ;;
  esac
done
[ "$groups" = ' ' ] && exit 0
for id in $groups; do kill -TERM "-$id" 2>/dev/null; done
sleep 1
for id in $groups; do kill -KILL "-$id" 2>/dev/null; done
`;

/** Watches over process groups on behalf of this process. */
export interface Reaper extends AsyncDisposable {
  watch(groupId: number): void;
  forget(groupId: number): void;
}

/** A reaper whose shell starts with the first group it is told of. */
export function createReaper(): Reaper {
  let shell: ChildProcess | undefined;
  const watched = new Set<number>();
  const tell = (line: string): void => {
    if (process.platform === "win32") return;
    if (shell === undefined) {
      // detached: a signal to our own group must not reach it
      shell = spawn("/bin/sh", ["-c", script], {
        stdio: ["pipe", "ignore", "ignore"],
        detached: true,
        env: {},
        cwd: "/",
      });
      shell.on("error", () => {});
      shell.stdin?.on("error", () => {});
      shell.unref();
    }
    shell.stdin?.write(line);
  };
  return {
    watch(groupId) {
      watched.add(groupId);
      tell(`+ ${groupId}\n`);
    },
    forget(groupId) {
      if (watched.delete(groupId)) tell(`- ${groupId}\n`);
    },
    async [Symbol.asyncDispose]() {
      shell?.stdin?.end();
      shell = undefined;
    },
  };
}
