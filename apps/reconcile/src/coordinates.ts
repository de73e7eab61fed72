import type { MessageCoordinate } from '#libs/contracts';

/** Of a message on the bus, as a person reads it. */
export const coordinateText = ({ topic, partition, offset }: MessageCoordinate): string =>
  `${topic}/${partition}/${offset}`;

/** Of an event on its stream. */
export const eventText = (stream: string, revision: number): string => `${stream}@${revision}`;
