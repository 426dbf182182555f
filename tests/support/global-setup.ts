/** Makes the services' URLs known to every test process before the first test runs; what it had to start, it stops. */
import { openServices } from "../../bin/services.mjs";

export async function setup(): Promise<() => Promise<void>> {
  const services = await openServices();
  return async () => {
    await services[Symbol.asyncDispose]();
  };
}
