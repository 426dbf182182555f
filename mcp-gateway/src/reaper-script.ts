/**
 * What the reaper runs: a shell where there is one, PowerShell on Windows. Both read lines (`+ <pid>` of a new group or
 * tree, `- <pid> <mark>` of one that has ended) until their input ends, then end what is left. A process is ended only
 * when the mark has just been seen in its environment, so that an id used again hits nobody.
 */

/** A command without a shell's quoting. */
export interface ReaperCommand {
  readonly file: string;
  readonly args: readonly string[];
  readonly environment: Record<string, string>;
  readonly cwd: string;
}

/** `all`: the beginning of every mark. */
export function reaperCommand(platform: NodeJS.Platform, all: string): ReaperCommand {
  if (platform !== "win32")
    return {
      file: "/bin/sh",
      args: ["-c", shell, "mcp-gateway-reaper", `${all}.`],
      environment: { PATH: path },
      cwd: "/",
    };
  const { SystemRoot = "C:\\Windows" } = process.env;
  return {
    file: `${SystemRoot}\\System32\\WindowsPowerShell\\v1.0\\powershell.exe`,
    args: ["-NoLogo", "-NoProfile", "-NonInteractive", "-Command", powerShell],
    environment: { SystemRoot },
    cwd: SystemRoot,
  };
}

const path = "/usr/bin:/bin:/usr/sbin:/sbin";

/**
 * A sweep asks each once, as a second SIGTERM makes many drop what they are ending, and insists half a second later,
 * a whole one at the end, until nobody carries the mark. macOS was not run.
 */
const shell = `
trap '' INT TERM HUP PIPE
marked() {
  if [ -r /proc/self/environ ]; then
    grep -slaF "$1" /proc/[0-9]*/environ | while IFS=/ read -r _ _ id _; do echo "$id"; done
  else
    ps -axwwE -o pid=,command= | grep -F "MCP_GATEWAY_CHILD=" | grep -F "$1" | while read -r id _; do echo "$id"; done
  fi
}
hit() {
  ids=$(marked "$2")
  [ -n "$ids" ] || return 1
  for id in $ids; do kill "-$1" "$id" 2>/dev/null; done
}
sweep() {
  hit TERM "$1" || return 0
  left=$2
  while [ "$left" -gt 0 ]; do
    sleep 0.1
    [ -n "$(marked "$1")" ] || return 0
    left=$((left - 1))
  done
  left=30
  while [ "$left" -gt 0 ] && hit KILL "$1"; do
    sleep 0.1
    left=$((left - 1))
  done
}
groups=' '
while read -r op id mark; do
  case "$op" in
    +) groups="$groups$id " ;;
    -) groups="\${groups%% $id *} \${groups#* $id }"; (sweep "$mark" 5 &) ;;
  esac
done
[ "$groups" = ' ' ] && exit 0
sweep "$1" 10 &
sleep 1
for id in $groups; do kill -KILL "-$id" 2>/dev/null; done
wait
`;

/** A job object for each server: closing its handle ends everything in it, and so does our end. Not run. */
const powerShell = `
Add-Type -TypeDefinition @'
using System; using System.Runtime.InteropServices;
public static class Jobs {
  [DllImport("kernel32.dll")] public static extern IntPtr CreateJobObject(IntPtr security, string name);
  [DllImport("kernel32.dll")] public static extern bool SetInformationJobObject(IntPtr job, int kind, byte[] limits, int size);
  [DllImport("kernel32.dll")] public static extern bool AssignProcessToJobObject(IntPtr job, IntPtr process);
  [DllImport("kernel32.dll")] public static extern bool CloseHandle(IntPtr handle);
  public static IntPtr Open(IntPtr process) {
    IntPtr job = CreateJobObject(IntPtr.Zero, null);
    byte[] limits = new byte[IntPtr.Size == 8 ? 144 : 112]; // JOBOBJECT_EXTENDED_LIMIT_INFORMATION
    limits[17] = 0x20; // LimitFlags: JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE
    SetInformationJobObject(job, 9, limits, limits.Length);
    AssignProcessToJobObject(job, process);
    return job;
  }
}
'@
$jobs = @{}
while ($null -ne ($line = [Console]::In.ReadLine())) {
  $op, $id, $mark = $line.Split(' ')
  if ($op -eq '+') { try { $jobs[$id] = [Jobs]::Open((Get-Process -Id $id).Handle) } catch {} }
  elseif ($jobs.ContainsKey($id)) { [void][Jobs]::CloseHandle($jobs[$id]); $jobs.Remove($id) }
}
`;
