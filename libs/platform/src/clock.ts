/** The time as milliseconds since 1970. What needs the time gets one of these, so tests can say it. */
export type Clock = () => number;

export const systemClock: Clock = Date.now;
