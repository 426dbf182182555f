/**
 * How many requests a principal may make: a token bucket each. Where several processes serve together, another
 * implementation of the same interface counts for all of them.
 */

/** Counts requests. */
export interface RateLimiter {
  /**
   * Takes one request of an account; the seconds after which to ask again where it has none left.
   * @throws CodedError where the count cannot be known
   */
  take(account: string): number | undefined | Promise<number | undefined>;
}

/** How fast. */
export interface RateLimiterOptions {
  readonly perMinute: number;
  /** Requests at once, from a principal that was quiet. Default a quarter of `perMinute`, at least 1. */
  readonly burst?: number | undefined;
  /** Milliseconds on any clock. Default: a monotonic one. */
  readonly now?: () => number;
}

interface Bucket {
  left: number;
  at: number;
}

const maxBuckets = 10_000;

/** A limiter for this process alone. */
export function createRateLimiter({
  perMinute,
  burst,
  now = () => performance.now(),
}: RateLimiterOptions): RateLimiter {
  const size = burst ?? burstOf(perMinute);
  const perMs = perMinute / 60_000;
  const buckets = new Map<string, Bucket>();

  const fill = (bucket: Bucket): void => {
    const time = now();
    bucket.left = Math.min(size, bucket.left + (time - bucket.at) * perMs);
    bucket.at = time;
  };

  /** Full buckets say nothing that a new one would not. */
  function forgetFull(): void {
    for (const [account, bucket] of buckets) {
      fill(bucket);
      if (bucket.left >= size) buckets.delete(account);
    }
  }

  return {
    take(account) {
      if (buckets.size >= maxBuckets) forgetFull();
      const bucket = buckets.get(account) ?? { left: size, at: now() };
      buckets.set(account, bucket);
      fill(bucket);
      if (bucket.left < 1) return Math.max(1, Math.ceil((1 - bucket.left) / perMs / 1_000));
      bucket.left--;
      return undefined;
    },
  };
}

/** How many at once, where a minute has so many. */
export const burstOf = (perMinute: number): number => Math.max(1, Math.floor(perMinute / 4));
