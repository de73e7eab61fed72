interface SilenceWatch {
  readonly heard: () => void;
  readonly stop: () => void;
}

const TICKS = 10;

/**
 * Where packets are dropped, no connection ever breaks: only the silence tells. Counts its own ticks
 * instead of looking at a clock, because an event loop that stood still has not listened: what has come
 * meanwhile is heard before the next tick.
 */
export function watchSilence(
  least_ms: number,
  /** Asked at each tick; at least `least_ms`. */
  limit_ms: () => number,
  on_silence: (silent_ms: number) => void,
): SilenceWatch {
  const tick_ms = least_ms / TICKS;
  let ticks = 0;
  const timer = setInterval(() => {
    ticks += 1;
    const limit = limit_ms();
    if (ticks * tick_ms <= limit) return;
    clearInterval(timer);
    on_silence(limit);
  }, tick_ms);
  return {
    heard: () => {
      ticks = 0;
    },
    stop: () => clearInterval(timer),
  };
}
