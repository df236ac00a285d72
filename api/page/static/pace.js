// How long the page waits between two requests.

/** While nothing is in the way, in milliseconds. */
export const TICK = 2000;
export const LONGEST = 60_000;
/** After a change that was told: several at once are one. And while changes are told, but none was. */
export const SOON = 150;
export const TOLD = 20_000;

// Of the requests that are left, the part that a page uses by itself: two pages use them up, and no more.
const OWN_PART = 0.5;
// Of the limit, the part that is kept for what viewers do.
const RESERVE = 0.1;

/**
 * Returns the milliseconds until the next request that nobody has asked for.
 *
 * `limit` is the rest of the rate limit or null, `now` the time of the API, `failures` the failed requests in a row,
 * and `retryAfter` the seconds that the API wants to be left alone.
 */
export function pause(limit, now, failures = 0, retryAfter = 0) {
  const afterFailure = failures ? TICK * 2 ** Math.min(failures - 1, 4) : TICK;
  return Math.min(LONGEST, Math.max(afterFailure, retryAfter * 1000, withinLimit(limit, now)));
}

function withinLimit(limit, now) {
  const rest = limit ? limit.endsAt - now : 0;
  if (rest <= 0) {
    return TICK;
  }
  const own = (limit.left - limit.amount * RESERVE) * OWN_PART;
  return own < 1 ? rest : rest / own;
}
