/**
 * Requests of each principal counted for all replicas together: a token bucket in Redis, filled by Redis's own clock and
 * taken from by one script. Where the count cannot be known, nobody is let past it.
 */
import { createHash } from "node:crypto";
import { burstOf, type RateLimiter, type RateLimiterOptions } from "@database-interface/mcp-core/host";
import type { RedisConnection } from "../store/redis-connection.js";

/** KEYS[1]; ARGV: the bucket's size, tokens a millisecond. Returns the milliseconds to wait, 0 when one was taken. */
const take = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local size, perMs = tonumber(ARGV[1]), tonumber(ARGV[2])
local kept = redis.call('HMGET', KEYS[1], 'left', 'at')
local passed = math.max(0, now - (tonumber(kept[2]) or now))
local left = math.min(size, (tonumber(kept[1]) or size) + passed * perMs)
local wait = 0
if left < 1 then wait = math.ceil((1 - left) / perMs) else left = left - 1 end
redis.call('HSET', KEYS[1], 'left', string.format('%.6f', left), 'at', string.format('%.0f', now))
redis.call('PEXPIRE', KEYS[1], math.ceil(size / perMs) + 1000)
return wait`;

/** A limiter whose `take` @throws CodedError `store_unavailable`. */
export function createSharedRateLimiter(redis: RedisConnection, { perMinute, burst }: RateLimiterOptions): RateLimiter {
  const bucket = [String(burst ?? burstOf(perMinute)), String(perMinute / 60_000)];
  const keyOf = (account: string): string =>
    `${redis.address.prefix}:rate/${createHash("sha256").update(account).digest("base64url")}`;
  return {
    async take(account) {
      const waitMs = await redis.run(({ commands }) =>
        commands.eval(take, { keys: [keyOf(account)], arguments: bucket }),
      );
      return Number(waitMs) === 0 ? undefined : Math.max(1, Math.ceil(Number(waitMs) / 1_000));
    },
  };
}
