/** The face of the sample room: the sample shop, and throw-away servers to keep it in. */
export { buildOnce, copyFolder, openCacheFolder } from "./cache.js";
export { dirtyRows } from "./dirty.js";
export {
  type Instance,
  type InstanceContent,
  type InstanceFolder,
  type InstanceRecipe,
  openInstance,
  type RunningInstance,
  writePrivateFile,
} from "./instance.js";
export { openPrivateFolder, type PrivateFolder } from "./private-folder.js";
export { freePort, type PrivateServer, type PrivateServerOptions, startPrivateServer } from "./private-server.js";
export { type RunOptions, runProgram } from "./run-program.js";
export type {
  SampleCell,
  SampleCheck,
  SampleColumn,
  SampleIndex,
  SampleReference,
  SampleRow,
  SampleTable,
  SampleType,
  SampleView,
} from "./schema.js";
export { type ServerAccount, serverAccount, temporaryFolder } from "./server-account.js";
export { createShop, type Shop, sampleFingerprint, shopName } from "./shop.js";
export { sampleTables, sampleViews } from "./tables.js";
export { type Revenue, revenueStatuses, type SampleTotals } from "./totals.js";
